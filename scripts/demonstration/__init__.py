"""The demonstration: three companies with three different ERPs, real or generated trade, and a reckoning at the end."""
