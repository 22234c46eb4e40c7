"""Models: from the spec to an estimator, scoring it, and keeping it as a bundle."""
