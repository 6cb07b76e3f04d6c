"""What waits in the store to go into our ERP."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from node.core.rows import HandoverRow
from node.store.schema import DOCUMENT, HANDOVER
from node.store.session import Session
from node.store.statements import Compiler, listed, only_first, parameter, word

__all__ = ["HandoverStatements", "Handovers"]

_C = HANDOVER.c


class HandoverStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        every = sa.select(HANDOVER)
        self.add = sql.bulk(HandoverRow)
        self.put = sql.bulk(HandoverRow, replace=True)
        self.get = sql(every.where(_C.document_id == parameter("document_id")), "document_id")
        of_usage = sa.exists().where(
            DOCUMENT.c.document_id == _C.document_id, DOCUMENT.c.usage == parameter("of_usage")
        )
        due = every.where(
            _C.state == word("waiting"),
            _C.document_id > parameter("after"),
            _C.next_at <= parameter("now"),
            _C.type.in_(listed(sql.name, "types", "text")),
            of_usage,
        )
        self.due = sql(only_first(due.order_by(_C.document_id)), "after", "now", "types", "of_usage", "limit")
        self.later = self._objects(sql, sa.and_(_C.state == word("waiting"), _C.next_at > parameter("now")), "now")
        self.stuck = self._objects(sql, _C.state == word("failed"))
        failed = every.where(_C.state == word("failed")).order_by(_C.document_id)
        self.failed = sql(only_first(failed), "limit")
        self.counts = sql(sa.select(_C.state, sa.func.count()).group_by(_C.state).order_by(_C.state))

    @staticmethod
    def _objects(sql: Compiler, which: sa.ColumnElement[bool], *names: str) -> str:
        """The business objects of these rows, each with its first document."""
        of = DOCUMENT.c
        place = (of.partner_id, of.object_key)
        query = sa.select(*place, sa.func.min(of.document_id)).group_by(*place)
        return sql(query.where(of.document_id.in_(sa.select(_C.document_id).where(which))), *names)


def _placed(row: Iterable[Any]) -> tuple[str, str, int]:
    partner_id, object_key, document_id = row
    return partner_id, object_key, document_id


def _counted(row: Iterable[Any]) -> tuple[str, int]:
    state, count = row
    return state, count


class Handovers:
    """Implements `node.ports.HandoverStore`."""

    def __init__(self, session: Session, sql: HandoverStatements) -> None:
        self._session = session
        self._sql = sql

    def add(self, rows: Sequence[HandoverRow]) -> None:
        """Add rows of documents that are in the store."""
        self._session.put(self._sql.add, rows)

    def due(self, now: int, types: Sequence[str], usage: str, after: int, limit: int) -> list[HandoverRow]:
        """Waiting rows of these types with next_at <= now, of documents of this usage after that id, in their order."""
        return self._session.all(HandoverRow._make, self._sql.due, after, now, json.dumps([*types]), usage, limit)

    def not_yet(self, now: int) -> list[tuple[str, str, int]]:
        """What is tried again only later or waits for a human: (partner_id, object_key, first document_id)."""
        return self._session.all(_placed, self._sql.later, now) + self._session.all(_placed, self._sql.stuck)

    def get(self, document_id: int) -> HandoverRow | None:
        """The row of that document."""
        return self._session.one(HandoverRow._make, self._sql.get, document_id)

    def put(self, row: HandoverRow) -> None:
        """Insert or replace by document_id."""
        self._session.put(self._sql.put, [row])

    def failed(self, limit: int) -> list[HandoverRow]:
        """Rows that wait for a human, in document order."""
        return self._session.all(HandoverRow._make, self._sql.failed, limit)

    def counts(self) -> dict[str, int]:
        """Rows by state."""
        return dict(self._session.all(_counted, self._sql.counts))
