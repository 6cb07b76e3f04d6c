"""The pure core: values, documents, links and decisions. No IO, no clock, no randomness, no logging."""
