"""Customer orders from their capture to their delivery, over our own sites and partners."""
