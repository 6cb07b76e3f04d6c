"""Stock holds and allocations in the store, and the counters by place that are their sums."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from node.core.reservation_rows import ReservationRow, StockCounterRow
from node.ports import CounterDifference
from node.store.fulfilment_schema import (
    ERP_HOLD,
    RESERVATION,
    RESERVATION_ASKED,
    RESERVATION_DONE,
    RESERVATION_LIVE,
    RESERVATION_OPEN,
    STOCK_COUNTER,
)
from node.store.session import Session
from node.store.statements import Compiler, listed, only_first, parameter, word

__all__ = ["ReservationStatements", "Reservations"]

_R = RESERVATION.c
_S = STOCK_COUNTER.c


class ReservationStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        every = sa.select(RESERVATION)
        live, still_open, done = (
            sa.text(f"({text})") for text in (RESERVATION_LIVE, RESERVATION_OPEN, RESERVATION_DONE)
        )
        ids = _R.reservation_id.in_(listed(sql.name, "ids", "text"))
        items = _R.item_key.in_(listed(sql.name, "item_keys", "text"))
        counts = _R.held > sa.literal_column("0")
        self.put = sql.bulk(ReservationRow, replace=True)
        self.get = sql(every.where(_R.reservation_id == parameter("id")).order_by(_R.partner_id, _R.role), "id")
        self.find = sql(
            every.where(_R.partner_id == parameter("of_partner"), _R.role == parameter("of_role"), ids),
            *("of_partner", "of_role", "ids"),
        )
        of_orders = every.where(
            _R.order_id > sa.literal_column("0"), _R.order_id.in_(listed(sql.name, "order_ids", "bigint"))
        )
        self.of_orders = sql(of_orders.order_by(_R.order_id, _R.line_id, _R.reservation_id), "order_ids")
        of_pieces = every.where(
            _R.piece_id > sa.literal_column("0"), _R.piece_id.in_(listed(sql.name, "piece_ids", "bigint"))
        )
        self.of_pieces = sql(of_pieces.order_by(_R.piece_id, _R.reservation_id), "piece_ids")
        due = every.where(still_open, _R.expires_at <= parameter("now")).order_by(_R.expires_at)
        self.due = sql(only_first(due), "now", "limit")
        self.due_of = sql(every.where(live, counts, items, _R.expires_at <= parameter("now")), "item_keys", "now")
        self.asked_of = sql(
            every.where(
                _R.role == word("requester"), sa.text(f"({RESERVATION_ASKED})"), items, _R.at > parameter("since")
            ),
            *("item_keys", "since"),
        )
        self.held_by = sql(every.where(live, items, _R.partner_id == parameter("of")), "item_keys", "of")
        self.total_of = sql(
            # Of a hold that our ERP's figure has taken off itself, the ledger holds nothing any more.
            sa.select(
                sa.func.count(),
                sa.func.coalesce(sa.func.sum(sa.case((counts, _R.held), else_=_R.granted)), sa.literal_column("0")),
            ).where(
                live, _R.role == word("grantor"), _R.partner_id == parameter("of"), _R.expires_at > parameter("now")
            ),
            *("of", "now"),
        )
        covered = _R.covered > sa.literal_column("0")
        self.any_covered = sql(only_first(sa.select(_R.item_key).where(covered)), "limit")
        self.covered = sql(every.where(counts, items, covered), "item_keys")
        self.forgettable = sql(
            only_first(every.where(done, _R.at < parameter("before")).order_by(_R.at)), "before", "limit"
        )
        self.forget = sql(
            sa.delete(RESERVATION).where(
                _R.reservation_id == parameter("id"), _R.partner_id == parameter("of"), _R.role == parameter("of_role")
            ),
            *("id", "of", "of_role"),
        )
        at_erp = ERP_HOLD.c
        self.forget_at_erp = sql(
            sa.delete(ERP_HOLD).where(
                at_erp.reservation_id == parameter("id"),
                at_erp.partner_id == parameter("of"),
                at_erp.role == parameter("of_role"),
            ),
            *("id", "of", "of_role"),
        )
        self._of_counters(sql)
        self._sql = sql

    def _of_counters(self, sql: Compiler) -> None:
        self.in_use = sql(only_first(sa.select(_S.item_key)), "limit")
        self.put_counters = sql.bulk(StockCounterRow, replace=True)
        self.counters = sql(
            sa.select(STOCK_COUNTER)
            .where(_S.item_key.in_(listed(sql.name, "item_keys", "text")))
            .order_by(_S.item_key, _S.location),
            "item_keys",
        )
        confirmed = _R.state == word("confirmed")
        zero: sa.ColumnElement[int] = sa.literal_column("0")
        sums = (
            sa.select(
                _R.item_key,
                _R.location,
                sa.func.sum(sa.case((confirmed, zero), else_=_R.held)).label("reserved"),
                sa.func.sum(sa.case((confirmed, _R.held), else_=zero)).label("allocated"),
            )
            .where(_R.held > zero)
            .group_by(_R.item_key, _R.location)
            .subquery()
        )
        same = sa.and_(_S.item_key == sums.c.item_key, _S.location == sums.c.location)
        told = [sa.func.coalesce(column, zero) for column in (_S.reserved, _S.allocated)]
        summed = [sa.func.coalesce(column, zero) for column in (sums.c.reserved, sums.c.allocated)]
        wrong = sa.or_(told[0] != summed[0], told[1] != summed[1])
        parts = (told[0], summed[0], told[1], summed[1])
        self.wrong_counters = sql(
            sa.select(_S.item_key, _S.location, *parts).select_from(STOCK_COUNTER.outerjoin(sums, same)).where(wrong)
        )
        self.missing_counters = sql(
            sa.select(sums.c.item_key, sums.c.location, *parts)
            .select_from(sums.outerjoin(STOCK_COUNTER, same))
            .where(_S.item_key.is_(None))
        )

    def search(self, names: tuple[str, ...], which: str) -> str:
        """The search by these columns among all, open or done reservations, newest first where they are done."""

        def build() -> tuple[Any, Sequence[str]]:
            found = sa.select(RESERVATION)
            if which:
                found = found.where(sa.text(f"({RESERVATION_OPEN if which == 'open' else RESERVATION_DONE})"))
            for name in names:
                found = found.where(_R[name] == parameter(f"of_{name}"))
            order = [_R.expires_at] if which == "open" else [_R.at.desc()]
            return only_first(found.order_by(*order, _R.reservation_id)), [*(f"of_{name}" for name in names), "limit"]

        return self._sql.keep(("reservations.search", names, which), build)


def _total(row: Iterable[Any]) -> tuple[int, int]:
    count, held = row
    return int(count), int(held)


def _difference(row: Iterable[Any]) -> CounterDifference:
    item_key, location, *counts = row
    return CounterDifference(item_key, location, *map(int, counts))


class Reservations:
    """Implements `node.ports.ReservationStore`."""

    def __init__(self, session: Session, sql: ReservationStatements) -> None:
        self._session = session
        self._sql = sql

    def _all(self, sql: str, *values: Any) -> list[ReservationRow]:
        return self._session.all(ReservationRow._make, sql, *values)

    def put(self, rows: Sequence[ReservationRow]) -> None:
        """Insert or replace by (reservation_id, partner_id, role)."""
        self._session.put(self._sql.put, rows)

    def get(self, reservation_id: str) -> list[ReservationRow]:
        """Reservations of this id: partners choose ids, so two may have chosen the same."""
        return self._all(self._sql.get, reservation_id)

    def find(self, partner_id: str, role: str, ids: Sequence[str]) -> dict[str, ReservationRow]:
        """One partner's reservations by id."""
        found = self._all(self._sql.find, partner_id, role, json.dumps([*ids]))
        return {row.reservation_id: row for row in found}

    def of_orders(self, order_ids: Sequence[int]) -> list[ReservationRow]:
        """What these orders have taken up, by order and line."""
        return self._all(self._sql.of_orders, json.dumps([*order_ids]))

    def of_pieces(self, piece_ids: Sequence[int]) -> list[ReservationRow]:
        """The reservations of these pieces of customer orders."""
        return self._all(self._sql.of_pieces, json.dumps([*piece_ids]))

    def due(self, now: int, limit: int) -> list[ReservationRow]:
        """Requested and granted ones whose time is up, earliest first."""
        return self._all(self._sql.due, now, limit)

    def due_of(self, item_keys: Sequence[str], now: int) -> list[ReservationRow]:
        """Holds on our stock of these items whose time is up and which still count."""
        return self._all(self._sql.due_of, json.dumps([*item_keys]), now)

    def asked_of(self, item_keys: Sequence[str], since: int) -> list[ReservationRow]:
        """What we have asked of partners, got held or ordered from a hold since then, of these items."""
        return self._all(self._sql.asked_of, json.dumps([*item_keys]), since)

    def held_by(self, partner_id: str, item_keys: Sequence[str]) -> list[ReservationRow]:
        """Live holds of a partner on our stock of these items."""
        return self._all(self._sql.held_by, json.dumps([*item_keys]), partner_id)

    def total_of(self, partner_id: str, now: int) -> tuple[int, int]:
        """How many holds a partner has on our stock that are not expired, and how much they hold together."""
        found = self._session.one(_total, self._sql.total_of, partner_id, now)
        return found or (0, 0)

    def covered(self, item_keys: Sequence[str]) -> list[ReservationRow]:
        """What orders took up of these items, and our ERP's coming figures take off themselves."""
        if not self._session.values(self._sql.any_covered, 1):
            return []
        return self._all(self._sql.covered, json.dumps([*item_keys]))

    def search(
        self,
        *,
        partner_id: str | None = None,
        item_key: str | None = None,
        role: str | None = None,
        state: str | None = None,
        which: str = "",
        limit: int = 50,
    ) -> list[ReservationRow]:
        """Open ones by their end, others newest first; `which` is "open", "done" or "" for all."""
        given = {"partner_id": partner_id, "item_key": item_key, "role": role, "state": state}
        wanted = {name: value for name, value in given.items() if value is not None}
        return self._all(self._sql.search(tuple(wanted), which), *wanted.values(), limit)

    def forget(self, before: int, limit: int) -> int:
        """Delete at most `limit` that were done with before; returns how many went."""
        rows = self._all(self._sql.forgettable, before, limit)
        keys = [(row.reservation_id, row.partner_id, row.role) for row in rows]
        self._session.run_many(self._sql.forget_at_erp, keys)
        self._session.run_many(self._sql.forget, keys)
        return len(rows)

    def in_use(self) -> bool:
        """Whether there is any counter at all: where none is, stock figures are as they came."""
        return bool(self._session.values(self._sql.in_use, 1))

    def put_counters(self, rows: Sequence[StockCounterRow]) -> None:
        """Insert or replace by (item_key, location)."""
        self._session.put(self._sql.put_counters, rows)

    def counters(self, item_keys: Sequence[str]) -> list[StockCounterRow]:
        """The counters of these items, by item and location."""
        return self._session.all(StockCounterRow._make, self._sql.counters, json.dumps([*item_keys]))

    def differences(self) -> list[CounterDifference]:
        """Places where a counter is not the sum of the reservations there; none when all is well."""
        wrong = self._session.all(_difference, self._sql.wrong_counters)
        return sorted(wrong + self._session.all(_difference, self._sql.missing_counters))
