"""The built-in kinds: each module has `run(context)`, which reads the spec and the inputs and leaves the outputs."""
