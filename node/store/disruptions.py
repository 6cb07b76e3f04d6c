"""Notices of disruption in the store, line by line."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from node.core.promise_rows import DisruptionRow
from node.store.fulfilment_schema import DISRUPTION
from node.store.session import Session
from node.store.statements import Compiler, listed, only_first, parameter, word

__all__ = ["DisruptionStatements", "Disruptions"]

_C = DISRUPTION.c


class DisruptionStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        every = sa.select(DISRUPTION)
        by_key = list(DISRUPTION.primary_key)
        self.put = sql.bulk(DisruptionRow, replace=True)
        of_items = sa.or_(
            _C.item_key == sa.literal_column("''", sa.Text()),
            _C.item_key.in_(listed(sql.name, "item_keys", "text")),
        )
        self.in_force = sql(every.where(_C.state == word("in_force"), of_items).order_by(*by_key), "item_keys")
        self.of_number = sql(
            every.where(_C.partner_id == parameter("of_partner"), _C.number == parameter("number")).order_by(*by_key),
            *("of_partner", "number"),
        )
        self.of_root = sql(every.where(_C.root_id == parameter("root")).order_by(*by_key), "root")
        newest = (_C.at.desc(), *by_key)
        self.newest = sql(only_first(every.order_by(*newest)), "limit")
        self.of_state = sql(
            only_first(every.where(_C.state == parameter("of_state")).order_by(*newest)), "of_state", "limit"
        )


class Disruptions:
    """Implements `node.ports.DisruptionStore`."""

    def __init__(self, session: Session, sql: DisruptionStatements) -> None:
        self._session = session
        self._sql = sql

    def put(self, rows: Sequence[DisruptionRow]) -> None:
        """Insert or replace by (partner_id, number, line_id)."""
        self._session.put(self._sql.put, rows)

    def in_force(self, item_keys: Sequence[str]) -> list[DisruptionRow]:
        """Lines in force that name one of these items, or none."""
        return self._session.all(DisruptionRow._make, self._sql.in_force, json.dumps([*item_keys]))

    def of_number(self, partner_id: str, number: str) -> list[DisruptionRow]:
        """The lines of one notice."""
        return self._session.all(DisruptionRow._make, self._sql.of_number, partner_id, number)

    def of_root(self, root_id: str) -> list[DisruptionRow]:
        """The lines of every notice that goes back to the same first one."""
        return self._session.all(DisruptionRow._make, self._sql.of_root, root_id)

    def search(self, *, state: str, limit: int) -> list[DisruptionRow]:
        """Newest first; `state` "" is every one."""
        if state:
            return self._session.all(DisruptionRow._make, self._sql.of_state, state, limit)
        return self._session.all(DisruptionRow._make, self._sql.newest, limit)
