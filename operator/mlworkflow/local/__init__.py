"""The same core on a laptop: processes instead of Pods, a folder instead of a bucket, no cluster."""
