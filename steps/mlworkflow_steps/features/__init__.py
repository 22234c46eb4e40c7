"""Features: from what a spec declares to a fitted transformer that makes the same of raw rows at training and at prediction."""
