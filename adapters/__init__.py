"""Adapters: each shows one system (files, a database, an ERP) to the node as documents."""
