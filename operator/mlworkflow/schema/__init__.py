"""The resource's schema, in every form that others read: the CRD, a JSON Schema for editors, the reference page.

All of it follows from the structs of `core` and is written by ``python -m mlworkflow.schema``. A development tool:
nothing of the product imports it at run time.
"""
