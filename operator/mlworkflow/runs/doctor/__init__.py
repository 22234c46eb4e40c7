"""What has to be there for runs to work, on this machine and in a cluster: each thing looked at by itself, with the command that mends it.

`check` is the value, `machine` and `cluster` look, `permissions` knows what each command needs, `verdicts` judge what the API server has told. Nothing is changed.
"""
