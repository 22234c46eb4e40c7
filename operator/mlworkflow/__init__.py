"""MLWorkflow: machine-learning workflows on Kubernetes, and the same YAML on a laptop.

The folders are the layers, each importing only those below it:
``handlers | cli  >  kube | local  >  engine  >  gateway  >  store  >  core``.
"""
