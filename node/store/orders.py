"""Orders, their lines and events in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.ports import OrderIdentity
from node.store.schema import LINE_EVENT, ORDER, ORDER_LINE
from node.store.session import Session
from node.store.settings import Counters
from node.store.statements import Compiler, listed, only_first, parameter

__all__ = ["OrderStatements", "Orders"]

_C = ORDER.c
_NONE = sa.literal_column("''", sa.Text())


class OrderStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        self._sql = sql
        line, event = ORDER_LINE.c, LINE_EVENT.c
        self.add_orders = sql.bulk(OrderRow)
        self.update_orders = sql.bulk(OrderRow, replace=True)
        self.add_lines = sql.bulk(OrderLineRow)
        self.put_lines = sql.bulk(OrderLineRow, replace=True)
        self.add_events = sql.bulk(LineEventRow)
        wanted = listed(sql.name, "wanted", *["text"] * 5)
        self.find = sql(
            sa.select(ORDER).where(
                sa.tuple_(_C.number, _C.issuer, _C.unit, _C.series, _C.usage).in_(wanted),
                _C.partner_id == parameter("partner_id"),
            ),
            *("wanted", "partner_id"),
        )
        ids = listed(sql.name, "order_ids", "bigint")
        self.by_ids = sql(sa.select(ORDER).where(_C.order_id.in_(ids)), "order_ids")
        self.lines = sql(
            sa.select(ORDER_LINE).where(line.order_id.in_(ids)).order_by(line.order_id, line.ordinal, line.line_id),
            "order_ids",
        )
        said = [event[name] for name in LineEventRow._fields]
        self.events = sql(
            sa.select(*said).where(event.order_id.in_(ids)).order_by(event.order_id, event.event_id), "order_ids"
        )
        self.supersede = sql(
            sa.update(LINE_EVENT)
            .ordered_values((event.standing, sa.literal_column("0")))
            .where(
                event.order_id == parameter("of_order"),
                event.document_id.in_(listed(sql.name, "document_ids", "bigint")),
            ),
            *("of_order", "document_ids"),
        )

    def search(self, names: Sequence[str]) -> str:
        """The query by those of "number", "partner_id" and "before" that are given."""

        def build() -> tuple[Any, Sequence[str]]:
            query = sa.select(ORDER)
            used: list[str] = []
            if "number" in names:
                # Each of the three has an index, two of them without the many rows that name nothing.
                query = query.where(
                    sa.or_(
                        _C.number == parameter("number_1"),
                        sa.and_(_C.seller_order_number == parameter("number_2"), _C.seller_order_number != _NONE),
                        sa.and_(_C.customer_order == parameter("number_3"), _C.customer_order != _NONE),
                    )
                )
                used += ["number_1", "number_2", "number_3"]
            if "partner_id" in names:
                query = query.where(_C.partner_id == parameter("partner_id"))
                used.append("partner_id")
            if "before" in names:
                query = query.where(_C.order_id < parameter("before"))
                used.append("before")
            return only_first(query.order_by(_C.order_id.desc())), [*used, "limit"]

        return self._sql.keep((OrderRow, tuple(names)), build)


class Orders:
    """Implements `node.ports.OrderStore`."""

    def __init__(self, session: Session, sql: OrderStatements, counters: Counters) -> None:
        self._session = session
        self._sql = sql
        self._counters = counters

    def next_ids(self, count: int) -> int:
        """Reserve `count` order ids and return the first."""
        return self._counters.reserve("order", count)

    def add_orders(self, rows: Sequence[OrderRow]) -> None:
        """Add orders. Raises HansaError when one of that identity is there already."""
        self._session.put(self._sql.add_orders, rows)

    def update_orders(self, rows: Sequence[OrderRow]) -> None:
        """Replace by order_id."""
        self._session.put(self._sql.update_orders, rows)

    def put_lines(self, rows: Sequence[OrderLineRow]) -> None:
        """Insert or replace by (order_id, line_id)."""
        self._session.put(self._sql.put_lines, rows)

    def add_lines(self, rows: Sequence[OrderLineRow]) -> None:
        """Insert lines of new orders."""
        self._session.put(self._sql.add_lines, rows)

    def add_events(self, rows: Sequence[LineEventRow]) -> None:
        """Add events; their order is kept."""
        self._session.put(self._sql.add_events, rows)

    def find(self, partner_id: str, identities: Sequence[OrderIdentity]) -> dict[OrderIdentity, OrderRow]:
        """The order of each identity that has one with this partner."""
        if not identities:
            return {}
        wanted = json.dumps([(of.number, of.issuer, of.unit, of.series, of.usage) for of in identities])
        rows = self._session.all(OrderRow._make, self._sql.find, wanted, partner_id)
        return {OrderIdentity(row.issuer, row.unit, row.number, row.series, row.usage): row for row in rows}

    def by_ids(self, order_ids: Sequence[int]) -> list[OrderRow]:
        """The orders of these ids that there are."""
        return self._session.all(OrderRow._make, self._sql.by_ids, json.dumps([*order_ids]))

    def lines(self, order_ids: Sequence[int]) -> list[OrderLineRow]:
        """By order and ordinal."""
        return self._session.all(OrderLineRow._make, self._sql.lines, json.dumps([*order_ids]))

    def events(self, order_ids: Sequence[int]) -> list[LineEventRow]:
        """All events, by order, in the order they were stored."""
        return self._session.all(LineEventRow._make, self._sql.events, json.dumps([*order_ids]))

    def supersede(self, order_id: int, document_ids: Sequence[int]) -> None:
        """Events of these documents no longer stand."""
        self._session.run(self._sql.supersede, order_id, json.dumps([*document_ids]))

    def search(
        self, *, number: str | None = None, partner_id: str | None = None, limit: int = 50, before: int | None = None
    ) -> list[OrderRow]:
        """Newest first; `number` matches the order's, the seller's or the customer order's number."""
        given: dict[str, list[Any]] = {}
        if number is not None:
            given["number"] = [number] * 3
        if partner_id is not None:
            given["partner_id"] = [partner_id]
        if before is not None:
            given["before"] = [before]
        values = [value for several in given.values() for value in several]
        return self._session.all(OrderRow._make, self._sql.search([*given]), *values, limit)
