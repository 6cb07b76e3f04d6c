"""Sourcing: what is gathered for a decision, freight, the decision, and what follows from it."""
