"""One real Kubernetes node from host processes, built and started by one command; `api.py` is what tests import."""
