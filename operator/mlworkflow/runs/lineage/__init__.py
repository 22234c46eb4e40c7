"""Where artifacts come from and where they went: read from the commit records of a namespace, and shown as a tree, a graph or a picture."""
