"""The engine: carries out what `core.decide` asks for, with any driver, and answers the gateway's questions about what runs.

Used alike by the operator (Pods) and by local runs (processes).
"""
