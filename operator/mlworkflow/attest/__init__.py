"""Signed statements of how a run came to its artifacts: what they say, who signs them, and whether they still hold."""
