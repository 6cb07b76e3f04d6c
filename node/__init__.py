"""The Hansa node: exchanges signed documents with partners and keeps what follows from them."""
