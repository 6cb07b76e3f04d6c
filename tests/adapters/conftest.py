"""What the tests of adapters share: an empty PostgreSQL database each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.stores import Server, postgres_server

__all__ = ["postgres_server"]

_numbers = itertools.count(1)


@pytest.fixture
def postgres_database(postgres_server: Server) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database."""
    name = f"erp_{next(_numbers)}"
    postgres_server.run(f"CREATE DATABASE {name}")
    yield postgres_server.url(name).replace("postgresql://", "postgresql+psycopg://", 1)
    postgres_server.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
