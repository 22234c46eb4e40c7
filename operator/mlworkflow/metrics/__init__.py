"""What the operator counts of itself, for Prometheus. The parts that are counted know nothing of it: they are given functions to call, or are looked at when
somebody scrapes. Put together by `__main__`.
"""
