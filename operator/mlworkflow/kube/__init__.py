"""The Kubernetes side of the operator: API client, reflector, work queue, and the settings that make kopf a shell.

Knows Kubernetes, knows nothing of workflows: no module here takes a decision about a step. Imported by the handlers,
the reconciler and the command line; imports only the standard library, aiohttp, orjson and, in `kopf_settings`, kopf.
"""
