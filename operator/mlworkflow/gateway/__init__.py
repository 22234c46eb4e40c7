"""The HTTP API that steps and people talk to (docs/step-contract.md, sections 3 and 5).

`runs` is what the engine implements and imports nothing of aiohttp; `app.make_app` is what a driver serves.
"""
