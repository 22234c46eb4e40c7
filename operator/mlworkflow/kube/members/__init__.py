"""Several operators that share the work: who is there, which workflows are whose, and what happens when that changes."""
