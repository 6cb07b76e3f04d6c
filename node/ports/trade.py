"""The store of orders and stock, and of what is held and taken up of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from node.core.reservation_rows import ErpHoldRow, ReservationRow, StockCounterRow
from node.core.rows import AliasRow, LineEventRow, OrderLineRow, OrderRow, ReplenishmentRuleRow, SnapshotRow, StockRow

__all__ = [
    "CounterDifference",
    "ErpHoldStore",
    "OrderIdentity",
    "OrderStore",
    "ReservationStore",
    "StockStore",
]


class OrderIdentity(NamedTuple):
    """The business identity of an order, whatever its revision."""

    issuer: str
    unit: str
    number: str
    series: str
    usage: str


class OrderStore(Protocol):
    """Orders, their lines, and what happened to them."""

    def next_ids(self, count: int) -> int: ...
    def add_orders(self, rows: Sequence[OrderRow]) -> None: ...
    def update_orders(self, rows: Sequence[OrderRow]) -> None:
        """Replace by order_id."""

    def put_lines(self, rows: Sequence[OrderLineRow]) -> None:
        """Insert or replace by (order_id, line_id)."""

    def add_lines(self, rows: Sequence[OrderLineRow]) -> None:
        """Insert lines of new orders."""

    def add_events(self, rows: Sequence[LineEventRow]) -> None: ...
    def find(self, partner_id: str, identities: Sequence[OrderIdentity]) -> dict[OrderIdentity, OrderRow]: ...
    def by_ids(self, order_ids: Sequence[int]) -> list[OrderRow]: ...
    def lines(self, order_ids: Sequence[int]) -> list[OrderLineRow]:
        """By order and ordinal."""

    def events(self, order_ids: Sequence[int]) -> list[LineEventRow]:
        """All events, by order, in the order they were stored."""

    def supersede(self, order_id: int, document_ids: Sequence[int]) -> None:
        """Events of these documents no longer stand."""

    def search(
        self, *, number: str | None = None, partner_id: str | None = None, limit: int = 50, before: int | None = None
    ) -> list[OrderRow]:
        """Newest first; `number` matches the order's, the seller's or the customer order's number."""


class StockStore(Protocol):
    """Our own stock, and what partners share of theirs."""

    def put(self, rows: Sequence[StockRow]) -> None:
        """Insert or replace by (item_key, partner_id, snapshot, location, pool, status); ours have a `change`."""

    def own_figures(self, item_keys: Sequence[str]) -> list[StockRow]:
        """Our own rows of these items, by item."""

    def figures(self, item_keys: Sequence[str]) -> list[StockRow]:
        """Rows in force (of each partner's current snapshot, and our own) of these items. This is the hot path."""

    def own_changed(self, after: int, limit: int) -> list[StockRow]:
        """Our own rows with change > after, by change."""

    def next_changes(self, count: int) -> int:
        """Reserve `count` change numbers and return the first."""

    def last_change(self) -> int: ...
    def current_snapshot(self, partner_id: str) -> SnapshotRow | None: ...
    def snapshot_named(self, partner_id: str, name: str) -> SnapshotRow | None: ...
    def put_snapshot(self, row: SnapshotRow) -> None: ...
    def drop_old(self, limit: int) -> int:
        """Delete at most `limit` rows of snapshots in state "old"; returns how many went."""

    def count(self, partner_id: str) -> int: ...
    def has_place(self, partner_id: str, location: str) -> bool:
        """Whether any figure in force is told of a place of a partner, or of ours ("")."""

    def put_aliases(self, rows: Sequence[AliasRow]) -> None: ...
    def aliases(self, names: Sequence[str]) -> list[AliasRow]:
        """Rows whose alias or item_number is one of `names`."""

    def put_rules(self, rows: Sequence[ReplenishmentRuleRow]) -> None: ...
    def rules(self, item_keys: Sequence[str]) -> list[ReplenishmentRuleRow]: ...


class CounterDifference(NamedTuple):
    """A place where a counter is not the sum of the reservations there, in the stock figure's unit."""

    item_key: str
    location: str
    reserved: int
    reserved_summed: int
    allocated: int
    allocated_summed: int


class ReservationStore(Protocol):
    """Stock holds and allocations, and the counters by place that are their sums."""

    def put(self, rows: Sequence[ReservationRow]) -> None:
        """Insert or replace by (reservation_id, partner_id, role)."""

    def get(self, reservation_id: str) -> list[ReservationRow]:
        """Reservations of this id: partners choose ids, so two may have chosen the same."""

    def find(self, partner_id: str, role: str, ids: Sequence[str]) -> dict[str, ReservationRow]:
        """One partner's reservations by id."""

    def of_orders(self, order_ids: Sequence[int]) -> list[ReservationRow]:
        """What these orders have taken up, by order and line."""

    def of_pieces(self, piece_ids: Sequence[int]) -> list[ReservationRow]:
        """The reservations of these pieces of customer orders."""

    def due(self, now: int, limit: int) -> list[ReservationRow]:
        """Requested and granted ones whose time is up, earliest first."""

    def due_of(self, item_keys: Sequence[str], now: int) -> list[ReservationRow]:
        """Holds on our stock of these items whose time is up and which still count."""

    def asked_of(self, item_keys: Sequence[str], since: int) -> list[ReservationRow]:
        """What we have asked of partners, got held or ordered from a hold since then, of these items."""

    def held_by(self, partner_id: str, item_keys: Sequence[str]) -> list[ReservationRow]:
        """Live holds of a partner on our stock of these items."""

    def total_of(self, partner_id: str, now: int) -> tuple[int, int]:
        """How many holds a partner has on our stock that are not expired, and how much they hold together."""

    def covered(self, item_keys: Sequence[str]) -> list[ReservationRow]:
        """What orders took up of these items, and our ERP's coming figures take off themselves."""

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

    def forget(self, before: int, limit: int) -> int:
        """Delete at most `limit` that were done with before; returns how many went."""

    def in_use(self) -> bool:
        """Whether there is any counter at all: where none is, stock figures are as they came."""

    def put_counters(self, rows: Sequence[StockCounterRow]) -> None:
        """Insert or replace by (item_key, location)."""

    def counters(self, item_keys: Sequence[str]) -> list[StockCounterRow]:
        """The counters of these items, by item and location."""

    def differences(self) -> list[CounterDifference]:
        """Places where a counter is not the sum of the reservations there; none when all is well."""


class ErpHoldStore(Protocol):
    """What our ERP knows of holds on our stock."""

    def put(self, rows: Sequence[ErpHoldRow]) -> None:
        """Insert or replace by (reservation_id, partner_id, role)."""

    def find(self, ids: Sequence[str]) -> dict[tuple[str, str, str], ErpHoldRow]:
        """By (reservation_id, partner_id, role), of these reservation ids."""

    def due(self, adapter: str, now: int, limit: int) -> list[ErpHoldRow]:
        """What an adapter's system is to be told now, earliest first."""

    def late(self, now: int, limit: int) -> list[ErpHoldRow]:
        """What has not been answered in time."""
