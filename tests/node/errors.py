"""What can go wrong, drawn:

NodeError                 the command failed; the message says what to look at     exit code 1
└── Missing               the machine lacks something; the message says how to get it   exit code 2
"""


class NodeError(Exception):
    exit_code = 1


class Missing(NodeError):
    exit_code = 2
