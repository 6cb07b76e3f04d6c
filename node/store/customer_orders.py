"""Customer orders, their lines, pieces, decisions and what happened to them, in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from node.core.customer_rows import (
    ClaimRow,
    CustomerLineRow,
    CustomerOrderRow,
    CustomerRow,
    DecisionRow,
    PieceRow,
    ProcessEventRow,
)
from node.store.fulfilment_schema import (
    CUSTOMER,
    CUSTOMER_LINE,
    CUSTOMER_ORDER,
    DECISION,
    PIECE,
    PIECE_CLAIM,
    PROCESS_EVENT,
)
from node.store.schema import DOCUMENT, ORDER
from node.store.session import Session
from node.store.settings import Counters
from node.store.statements import Compiler, listed, only_first, parameter, word

__all__ = ["CustomerOrderStatements", "CustomerOrders"]

_C = CUSTOMER_ORDER.c
_L = CUSTOMER_LINE.c
_P = PIECE.c
_E = PROCESS_EVENT.c


def _receipted() -> Any:
    """The customer orders that are behind orders of ours between two numbers which still stand as sent."""
    document, order = DOCUMENT.c, ORDER.c
    named = sa.and_(
        order.number == document.doc_number,
        *(order[name] == document[name] for name in ("issuer", "unit", "series", "partner_id", "usage")),
    )
    return (
        sa.select(_P.customer_order_id)
        .select_from(DOCUMENT.join(ORDER, named).join(PIECE, _P.order_id == order.order_id))
        .where(
            document.partner_id == parameter("of_partner"),
            document.direction == word("out"),
            document.epoch == parameter("of_epoch"),
            document.number > parameter("after"),
            document.number <= parameter("through"),
            document.state == word("sent"),
            document.type == word("Order"),
        )
    )


class CustomerOrderStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        self._sql = sql
        self.add_orders = sql.bulk(CustomerOrderRow)
        self.put_orders = sql.bulk(CustomerOrderRow, replace=True)
        self.put_lines = sql.bulk(CustomerLineRow, replace=True)
        self.put_pieces = sql.bulk(PieceRow, replace=True)
        self.put_customers = sql.bulk(CustomerRow, replace=True)
        self.add_decisions = sql.bulk(DecisionRow)
        self.add_events = sql.bulk(ProcessEventRow)
        self.customer = sql(sa.select(CUSTOMER).where(CUSTOMER.c.customer == parameter("of_customer")), "of_customer")
        self._by_ids(sql)
        self._by_names(sql)
        self._of_work(sql)
        self._of_hindered(sql)

    def _by_ids(self, sql: Compiler) -> None:
        ids = listed(sql.name, "order_ids", "bigint")
        self.orders = sql(sa.select(CUSTOMER_ORDER).where(_C.customer_order_id.in_(ids)), "order_ids")
        self.lines = sql(
            sa.select(CUSTOMER_LINE)
            .where(_L.customer_order_id.in_(ids))
            .order_by(_L.customer_order_id, _L.ordinal, _L.line_id),
            "order_ids",
        )
        self.pieces = sql(
            sa.select(PIECE).where(_P.customer_order_id.in_(ids)).order_by(_P.customer_order_id, _P.piece_id),
            "order_ids",
        )
        self.decisions = sql(
            sa.select(DECISION)
            .where(DECISION.c.customer_order_id == parameter("of_order"))
            .order_by(DECISION.c.decision_id),
            "of_order",
        )
        self.events = sql(
            sa.select(*(_E[name] for name in ProcessEventRow._fields))
            .where(_E.customer_order_id == parameter("of_order"))
            .order_by(_E.event_id),
            "of_order",
        )

    def _by_names(self, sql: Compiler) -> None:
        self.find = sql(
            sa.select(CUSTOMER_ORDER).where(_C.number == parameter("number"), _C.channel == parameter("channel")),
            *("number", "channel"),
        )
        self.numbered = sql(
            sa.select(CUSTOMER_ORDER).where(_C.number == parameter("number")).order_by(_C.customer_order_id),
            "number",
        )
        self.of_root = sql(sa.select(CUSTOMER_ORDER).where(_C.root_id == parameter("of_root")), "of_root")
        self.of_origin = sql(
            sa.select(CUSTOMER_ORDER).where(
                _C.origin_order_id.in_(listed(sql.name, "origin_ids", "bigint")), _C.origin_order_id.is_not(None)
            ),
            "origin_ids",
        )
        self.of_partner_orders = sql(
            sa.select(PIECE).where(_P.order_id.in_(listed(sql.name, "order_ids", "bigint")), _P.order_id.is_not(None)),
            "order_ids",
        )
        self.of_ids = sql(sa.select(PIECE).where(_P.piece_id.in_(listed(sql.name, "piece_ids", "bigint"))), "piece_ids")

    def _of_hindered(self, sql: Compiler) -> None:
        empty: sa.ColumnElement[str] = sa.literal_column("''")
        self.hindered = sql(
            only_first(
                sa.select(_P.customer_order_id)
                .distinct()
                .where(
                    _P.state == word("back_ordered"),
                    _P.customer_order_id > parameter("after"),
                    _P.promised_on.is_(None),
                    _P.reason != empty,
                    _P.notice == empty,
                )
                .order_by(_P.customer_order_id)
            ),
            *("after", "limit"),
        )

    def _of_work(self, sql: Compiler) -> None:
        due = _C.next_at.is_not(None)
        self.due = sql(
            only_first(
                sa.select(CUSTOMER_ORDER)
                .where(due, _C.next_at <= parameter("now"))
                .order_by(_C.priority.desc(), _C.captured_at, _C.customer_order_id)
            ),
            *("now", "limit"),
        )
        self.next_due = sql(sa.select(sa.func.min(_C.next_at)).where(due))
        self.wake = sql(
            sa.update(CUSTOMER_ORDER)
            .ordered_values((_C.next_at, parameter("now")))
            .where(
                _C.customer_order_id.in_(listed(sql.name, "order_ids", "bigint")),
                sa.or_(_C.next_at.is_(None), _C.next_at > parameter("before")),
                # One that is done may have to be opened again.
                _C.state.notin_([word("cancelled"), word("merged"), word("template")]),
            ),
            *("now", "order_ids", "before"),
        )
        self.wake_taken = sql(
            sa.update(CUSTOMER_ORDER)
            .ordered_values((_C.next_at, parameter("now")))
            .where(
                _C.customer_order_id.in_(_receipted()),
                sa.or_(_C.next_at.is_(None), _C.next_at > parameter("before")),
                _C.state.notin_([word("cancelled"), word("merged"), word("template")]),
            ),
            *("now", "of_partner", "of_epoch", "after", "through", "before"),
        )
        self.in_use = sql(only_first(sa.select(_C.customer_order_id)), "limit")
        self.any_back_ordered = sql(
            only_first(sa.select(_P.customer_order_id).where(_P.state == word("back_ordered"))), "limit"
        )
        self.back_ordered = sql(
            sa.select(CUSTOMER_ORDER)
            .where(
                _C.customer_order_id.in_(
                    sa.select(_P.customer_order_id)
                    .join(
                        CUSTOMER_LINE,
                        sa.and_(_L.customer_order_id == _P.customer_order_id, _L.line_id == _P.line_id),
                    )
                    .where(_P.state == word("back_ordered"), _L.item_key.in_(listed(sql.name, "item_keys", "text")))
                )
            )
            .order_by(_C.priority.desc(), _C.captured_at, _C.customer_order_id),
            "item_keys",
        )
        # The item is compared as an expression, so that no index on it is walked through: an item has many lines, and
        # few pieces have a claim.
        item: sa.ColumnElement[str] = sa.literal_column("''").concat(_L.item_key)
        keys = listed(sql.name, "item_keys", "text")
        self.claims = sql(
            sa.select(
                *(_P.customer_order_id, _L.item_key, _P.partner_id, _P.location, _P.state, _P.promised_on),
                *(_P.quantity, _P.unit, _P.order_id, _P.at),
            )
            .join(CUSTOMER_LINE, sa.and_(_L.customer_order_id == _P.customer_order_id, _L.line_id == _P.line_id))
            .join(CUSTOMER_ORDER, _C.customer_order_id == _P.customer_order_id)
            .where(sa.text(f"({PIECE_CLAIM.replace('state', 'piece.state')})"), item.in_(keys))
            .order_by(_C.priority.desc(), _C.captured_at, _C.customer_order_id, _P.piece_id),
            "item_keys",
        )
        self.counts = sql(sa.select(_C.state, sa.func.count()).group_by(_C.state).order_by(_C.state))

    def search(self, names: Sequence[str]) -> str:
        """The query by those of the names that are given."""

        def build() -> tuple[Any, Sequence[str]]:
            query = sa.select(CUSTOMER_ORDER)
            used: list[str] = []
            for name in ("customer", "state"):
                if name in names:
                    query = query.where(_C[name] == parameter(name))
                    used.append(name)
            if "item_keys" in names:
                of_item = sa.select(_L.customer_order_id).where(
                    _L.item_key.in_(listed(self._sql.name, "item_keys", "text"))
                )
                query = query.where(_C.customer_order_id.in_(of_item))
                used.append("item_keys")
            if "partner_id" in names:
                of_partner = sa.select(_P.customer_order_id).where(_P.partner_id == parameter("partner_id"))
                query = query.where(
                    sa.or_(_C.customer_order_id.in_(of_partner), _C.origin_partner == parameter("partner_id_2"))
                )
                used += ["partner_id", "partner_id_2"]
            if "before" in names:
                query = query.where(_C.customer_order_id < parameter("before"))
                used.append("before")
            return only_first(query.order_by(_C.customer_order_id.desc())), [*used, "limit"]

        return self._sql.keep((CustomerOrderRow, tuple(names)), build)


class CustomerOrders:
    """Implements `node.ports.CustomerOrderStore`."""

    def __init__(self, session: Session, sql: CustomerOrderStatements, counters: Counters) -> None:
        self._session = session
        self._sql = sql
        self._counters = counters

    def in_use(self) -> bool:
        """Whether there is any customer order at all: where none is, no document or figure concerns one."""
        return bool(self._session.values(self._sql.in_use, 1))

    def next_ids(self, count: int) -> int:
        """Reserve `count` customer order ids and return the first."""
        return self._counters.reserve("customer_order", count)

    def next_piece_ids(self, count: int) -> int:
        """Reserve `count` piece ids and return the first."""
        return self._counters.reserve("piece", count)

    def next_decision_ids(self, count: int) -> int:
        """Reserve `count` decision ids and return the first."""
        return self._counters.reserve("decision", count)

    def add(self, rows: Sequence[CustomerOrderRow]) -> None:
        """Add orders. Raises HansaError when one of that channel and number is there already."""
        self._session.put(self._sql.add_orders, rows)

    def put(self, rows: Sequence[CustomerOrderRow]) -> None:
        """Replace by customer_order_id."""
        self._session.put(self._sql.put_orders, rows)

    def put_lines(self, rows: Sequence[CustomerLineRow]) -> None:
        """Insert or replace by (customer_order_id, line_id)."""
        self._session.put(self._sql.put_lines, rows)

    def put_pieces(self, rows: Sequence[PieceRow]) -> None:
        """Insert or replace by piece_id."""
        self._session.put(self._sql.put_pieces, rows)

    def put_customers(self, rows: Sequence[CustomerRow]) -> None:
        """Insert or replace by customer."""
        self._session.put(self._sql.put_customers, rows)

    def add_decisions(self, rows: Sequence[DecisionRow]) -> None:
        """Add decisions."""
        self._session.put(self._sql.add_decisions, rows)

    def add_events(self, rows: Sequence[ProcessEventRow]) -> None:
        """Add events; their order is kept."""
        self._session.put(self._sql.add_events, rows)

    def get(self, customer_order_ids: Sequence[int]) -> dict[int, CustomerOrderRow]:
        """The orders of these ids that there are."""
        rows = self._session.all(CustomerOrderRow._make, self._sql.orders, json.dumps([*customer_order_ids]))
        return {row.customer_order_id: row for row in rows}

    def find(self, channel: str, number: str) -> CustomerOrderRow | None:
        """The order of this channel and number."""
        return self._session.one(CustomerOrderRow._make, self._sql.find, number, channel)

    def numbered(self, number: str) -> list[CustomerOrderRow]:
        """The orders of this number, of every channel."""
        return self._session.all(CustomerOrderRow._make, self._sql.numbered, number)

    def of_root(self, root_id: str) -> list[CustomerOrderRow]:
        """The orders of a chain over several companies that came to us."""
        return self._session.all(CustomerOrderRow._make, self._sql.of_root, root_id)

    def of_origin(self, order_ids: Sequence[int]) -> list[CustomerOrderRow]:
        """The customer orders that received orders became."""
        return self._session.all(CustomerOrderRow._make, self._sql.of_origin, json.dumps([*order_ids]))

    def customer(self, customer: str) -> CustomerRow | None:
        """What we remember of a customer."""
        return self._session.one(CustomerRow._make, self._sql.customer, customer)

    def lines(self, customer_order_ids: Sequence[int]) -> list[CustomerLineRow]:
        """By order and ordinal."""
        return self._session.all(CustomerLineRow._make, self._sql.lines, json.dumps([*customer_order_ids]))

    def pieces(self, customer_order_ids: Sequence[int]) -> list[PieceRow]:
        """By order and piece id."""
        return self._session.all(PieceRow._make, self._sql.pieces, json.dumps([*customer_order_ids]))

    def pieces_ordered_by(self, order_ids: Sequence[int]) -> list[PieceRow]:
        """The pieces that these partner orders are for."""
        return self._session.all(PieceRow._make, self._sql.of_partner_orders, json.dumps([*order_ids]))

    def pieces_named(self, piece_ids: Sequence[int]) -> list[PieceRow]:
        """The pieces of these ids."""
        return self._session.all(PieceRow._make, self._sql.of_ids, json.dumps([*piece_ids]))

    def decisions(self, customer_order_id: int) -> list[DecisionRow]:
        """Oldest first."""
        return self._session.all(DecisionRow._make, self._sql.decisions, customer_order_id)

    def events(self, customer_order_id: int) -> list[ProcessEventRow]:
        """In the order in which they were stored."""
        return self._session.all(ProcessEventRow._make, self._sql.events, customer_order_id)

    def due(self, now: int, limit: int) -> list[CustomerOrderRow]:
        """Orders to look at now: the most urgent first, then the oldest."""
        return self._session.all(CustomerOrderRow._make, self._sql.due, now, limit)

    def next_due(self) -> int | None:
        """When the next order is to be looked at; None when none waits for a time."""
        at: int | None = self._session.values(self._sql.next_due)[0]
        return at

    def wake(self, customer_order_ids: Sequence[int], now: int) -> int:
        """Let these orders be looked at now, unless they are at their end; how many that changed."""
        if not customer_order_ids:
            return 0
        return self._session.run(self._sql.wake, now, json.dumps([*customer_order_ids]), now)

    def wake_taken(self, partner_id: str, epoch: int, through: int, after: int, now: int) -> int:
        """Let the orders be looked at whose partner orders, with after < number <= through, still stand as "sent"."""
        return self._session.run(self._sql.wake_taken, now, partner_id, epoch, after, through, now)

    def back_ordered(self, item_keys: Sequence[str]) -> list[CustomerOrderRow]:
        """Orders that wait for one of these items: the most urgent first, then the oldest."""
        if not item_keys or not self._session.values(self._sql.any_back_ordered, 1):
            return []
        return self._session.all(CustomerOrderRow._make, self._sql.back_ordered, json.dumps([*item_keys]))

    def hindered(self, after: int, limit: int) -> list[int]:
        """Orders with a number above `after`, by number, of which something waits for other than supply or a notice."""
        return [int(one) for one in self._session.values(self._sql.hindered, after, limit)]

    def claims(self, item_keys: Sequence[str]) -> list[ClaimRow]:
        """Pieces of these items that count on stock which no hold keeps: the most urgent first, then the oldest."""
        return self._session.all(ClaimRow._make, self._sql.claims, json.dumps([*item_keys]))

    def counts(self) -> dict[str, int]:
        """Orders by state."""
        return dict(self._session.all(tuple, self._sql.counts))

    def search(
        self,
        *,
        customer: str | None = None,
        state: str | None = None,
        item_keys: Sequence[str] | None = None,
        partner_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[CustomerOrderRow]:
        """Newest first."""
        given: dict[str, list[Any]] = {}
        if customer is not None:
            given["customer"] = [customer]
        if state is not None:
            given["state"] = [state]
        if item_keys is not None:
            given["item_keys"] = [json.dumps([*item_keys])]
        if partner_id is not None:
            given["partner_id"] = [partner_id, partner_id]
        if before is not None:
            given["before"] = [before]
        values = [value for several in given.values() for value in several]
        return self._session.all(CustomerOrderRow._make, self._sql.search([*given]), *values, limit)
