"""The Hansa node: exchanges signed documents with partners and keeps what follows from them."""

__version__ = "0.1.0"
