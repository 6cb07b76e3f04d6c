"""What integration tests share: stores on every engine."""

from __future__ import annotations

from tests.customers import braun, linked, meyer, shop
from tests.stores import (
    postgres_server,
    postgres_url,
    sqlite_template,
    sqlite_url,
    store,
    store_url,
)

__all__ = [
    "braun",
    "linked",
    "meyer",
    "postgres_server",
    "postgres_url",
    "shop",
    "sqlite_template",
    "sqlite_url",
    "store",
    "store_url",
]
