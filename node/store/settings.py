"""Small named values, adapters' cursors, and the counters behind every id that the store gives."""

from __future__ import annotations

import sqlalchemy as sa

from node.core.rows import CursorRow
from node.store.schema import COUNTER, CURSOR, META
from node.store.session import Session
from node.store.statements import Compiler, parameter

__all__ = ["CounterStatements", "Counters", "SettingStatements", "Settings"]


class CounterStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        self.reserve = sql(
            sa.update(COUNTER)
            .values(value=COUNTER.c.value + parameter("count"))
            .where(COUNTER.c.name == parameter("counter"))
            .returning(COUNTER.c.value),
            *("count", "counter"),
        )
        self.last = sql(sa.select(COUNTER.c.value).where(COUNTER.c.name == parameter("counter")), "counter")


class Counters:
    """Numbers that only ever grow; "document", "order" and "change" start at 1."""

    def __init__(self, session: Session, sql: CounterStatements) -> None:
        self._session = session
        self._sql = sql

    def reserve(self, counter: str, count: int) -> int:
        """Reserve `count` numbers and return the first."""
        if count < 1:
            raise ValueError(f"cannot reserve {count} numbers")
        last: int = self._session.values(self._sql.reserve, count, counter)[0]
        return last - count + 1

    def last(self, counter: str) -> int:
        """The last number given; 0 before the first."""
        last: int = self._session.values(self._sql.last, counter)[0]
        return last


class SettingStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        self.get = sql(sa.select(META.c.value).where(META.c.name == parameter("setting")), "setting")
        self.put = sql.upsert(META)
        self.cursor = sql(sa.select(CURSOR).where(CURSOR.c.adapter == parameter("adapter")), "adapter")
        self.put_cursor = sql.bulk(CursorRow, replace=True)


class Settings:
    """Implements `node.ports.SettingStore`."""

    def __init__(self, session: Session, sql: SettingStatements) -> None:
        self._session = session
        self._sql = sql

    def get(self, name: str) -> str | None:
        """The value of that name."""
        found = self._session.values(self._sql.get, name)
        return found[0] if found else None

    def put(self, name: str, value: str) -> None:
        """Insert or replace by name."""
        self._session.run(self._sql.put, name, value)

    def cursor(self, adapter: str) -> CursorRow | None:
        """Where the adapter's pull stands."""
        return self._session.one(CursorRow._make, self._sql.cursor, adapter)

    def put_cursor(self, row: CursorRow) -> None:
        """Insert or replace by adapter."""
        self._session.put(self._sql.put_cursor, [row])
