"""What runs around the user's command in a step: fetches inputs, keeps the output, publishes, commits
(docs/step-contract.md).

Standard library only, and little of it: the time until user code starts is a feature, so whatever only some steps
need is imported where it is needed.
"""
