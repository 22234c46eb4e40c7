"""Where artifacts and records are kept: the `ArtifactStore` protocol, its implementations, and what the keys and
records look like.
"""
