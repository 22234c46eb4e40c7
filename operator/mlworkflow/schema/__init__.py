"""The resource's schema, in every form that others read: the CRD, a JSON Schema for editors, the reference page.

All of it follows from the structs of `core` and is written by ``python -m mlworkflow.schema``. At run time the command line
alone reads it, for `mlwf explain`, `schema` and `init`.
"""
