"""What acceptance tests share: a PostgreSQL server for a node that keeps its store there."""

from __future__ import annotations

from tests.stores import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
