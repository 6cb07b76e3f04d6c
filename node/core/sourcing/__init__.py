"""Sourcing: which source fulfils which part of which order, at the least total cost under hard limits. Pure."""
