"""What customers wanted in the store, by item, day and region."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from node.core.promise_rows import DemandDayRow, SiteLoadRow
from node.store.fulfilment_schema import DEMAND_DAY, SITE_LOAD
from node.store.session import Session
from node.store.statements import Compiler, listed, parameter

__all__ = ["Demand", "DemandStatements"]

_C = DEMAND_DAY.c


class DemandStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        self.put = sql.bulk(DemandDayRow, replace=True)
        self.days = sql(
            sa.select(DEMAND_DAY)
            .where(
                _C.item_key.in_(listed(sql.name, "item_keys", "text")),
                _C.day >= parameter("since"),
                _C.day <= parameter("until"),
            )
            .order_by(*DEMAND_DAY.primary_key),
            *("item_keys", "since", "until"),
        )
        self.put_loads = sql.bulk(SiteLoadRow, replace=True)
        self.loads = sql(
            sa.select(SITE_LOAD).where(SITE_LOAD.c.day == parameter("day")).order_by(*SITE_LOAD.primary_key), "day"
        )
        self.items = sql(
            sa.select(_C.item_key).where(_C.day >= parameter("since")).distinct().order_by(_C.item_key), "since"
        )


class Demand:
    """Implements `node.ports.DemandStore`."""

    def __init__(self, session: Session, sql: DemandStatements) -> None:
        self._session = session
        self._sql = sql

    def days(self, item_keys: Sequence[str], since: str, until: str) -> list[DemandDayRow]:
        """By item, day and region; both days included."""
        return self._session.all(DemandDayRow._make, self._sql.days, json.dumps([*item_keys]), since, until)

    def put(self, rows: Sequence[DemandDayRow]) -> None:
        """Insert or replace by (item_key, day, region, unit)."""
        self._session.put(self._sql.put, rows)

    def items(self, since: str) -> list[str]:
        """The items with demand on or after the day."""
        return self._session.values(self._sql.items, since)

    def loads(self, day: str) -> list[SiteLoadRow]:
        """What sites have been given to send on a day."""
        return self._session.all(SiteLoadRow._make, self._sql.loads, day)

    def put_loads(self, rows: Sequence[SiteLoadRow]) -> None:
        """Insert or replace by (day, partner_id, location)."""
        self._session.put(self._sql.put_loads, rows)
