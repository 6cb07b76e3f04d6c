"""What integration tests share: stores on every engine."""

from __future__ import annotations

from tests.stores import (
    postgres_server,
    postgres_url,
    sqlite_template,
    sqlite_url,
    store,
    store_url,
)

__all__ = ["postgres_server", "postgres_url", "sqlite_template", "sqlite_url", "store", "store_url"]
