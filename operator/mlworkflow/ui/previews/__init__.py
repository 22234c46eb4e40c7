"""Artifacts to be looked at. They are not ours: what parses them is bounded, and what a browser would run is served from elsewhere."""
