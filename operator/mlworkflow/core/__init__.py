"""The pure core: what a workflow means. No I/O, no clock, no randomness; standard library and msgspec only."""
