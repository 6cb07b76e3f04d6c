"""What our ERP knows of holds on our stock, in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from node.core.reservation_rows import ErpHoldRow
from node.store.fulfilment_schema import ERP_HOLD
from node.store.session import Session
from node.store.statements import Compiler, listed, only_first, parameter

__all__ = ["ErpHoldStatements", "ErpHolds"]


class ErpHoldStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        hold = ERP_HOLD.c
        zero: sa.ColumnElement[int] = sa.literal_column("0")
        every = sa.select(ERP_HOLD)
        self.put = sql.bulk(ErpHoldRow, replace=True)
        self.find = sql(every.where(hold.reservation_id.in_(listed(sql.name, "ids", "text"))), "ids")
        due = every.where(hold.adapter == parameter("of"), hold.next_at > zero, hold.next_at <= parameter("now"))
        self.due = sql(only_first(due.order_by(hold.next_at)), "of", "now", "limit")
        late = every.where(hold.answer_by > zero, hold.answer_by <= parameter("now"))
        self.late = sql(only_first(late.order_by(hold.answer_by)), "now", "limit")


class ErpHolds:
    """Implements `node.ports.ErpHoldStore`."""

    def __init__(self, session: Session, sql: ErpHoldStatements) -> None:
        self._session = session
        self._sql = sql

    def put(self, rows: Sequence[ErpHoldRow]) -> None:
        """Insert or replace by (reservation_id, partner_id, role)."""
        self._session.put(self._sql.put, rows)

    def find(self, ids: Sequence[str]) -> dict[tuple[str, str, str], ErpHoldRow]:
        """By (reservation_id, partner_id, role), of these reservation ids."""
        found = self._session.all(ErpHoldRow._make, self._sql.find, json.dumps([*ids]))
        return {(row.reservation_id, row.partner_id, row.role): row for row in found}

    def due(self, adapter: str, now: int, limit: int) -> list[ErpHoldRow]:
        """What an adapter's system is to be told now, earliest first."""
        return self._session.all(ErpHoldRow._make, self._sql.due, adapter, now, limit)

    def late(self, now: int, limit: int) -> list[ErpHoldRow]:
        """What has not been answered in time."""
        return self._session.all(ErpHoldRow._make, self._sql.late, now, limit)
