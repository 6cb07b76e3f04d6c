"""Use cases: each runs in one transaction of the store, and decides through the pure core."""
