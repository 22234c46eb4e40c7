"""The policies of `decide`, one a file: each looks at a turn and makes its moves."""
