"""What is told of the commands, from one source: `--help`, the man pages, docs/commands.md and the table in docs/cli.md.

`pages` holds what a signature cannot tell: examples, exit codes, relatives. `sheet` joins that with the signature; `plain`, `roff` and `markdown` write it down; `command` hangs it
into typer; ``python -m mlworkflow.cli.manual`` writes the files of the checkout.
"""
