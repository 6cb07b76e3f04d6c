"""The link's use cases: identity and cards, numbering, sending, receiving, receipts, evidence, retention."""
