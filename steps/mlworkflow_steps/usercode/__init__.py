"""Code of the user's: found, called with what the step has, and what it gives left as outputs. Used by the kind `python` alone."""
