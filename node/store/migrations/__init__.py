"""Migrations of the store, run by `node.store.upgrade`.

A new one is a module in `versions` with the next number as its revision, written by hand from what Alembic proposes,
and becomes `node.store.schema.REVISION`. Numbers have four digits, so that they sort by age.
"""
