"""The store of customer orders: what their process needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from node.core.customer_rows import (
    ClaimRow,
    CustomerLineRow,
    CustomerOrderRow,
    CustomerRow,
    DecisionRow,
    PieceRow,
    ProcessEventRow,
)

__all__ = ["CustomerOrderStore"]


class CustomerOrderStore(Protocol):
    """Customer orders with their lines, pieces, decisions and events."""

    def in_use(self) -> bool:
        """Whether there is any customer order at all: where none is, no document or figure concerns one."""

    def next_ids(self, count: int) -> int: ...
    def next_piece_ids(self, count: int) -> int: ...
    def next_decision_ids(self, count: int) -> int: ...
    def add(self, rows: Sequence[CustomerOrderRow]) -> None: ...
    def put(self, rows: Sequence[CustomerOrderRow]) -> None:
        """Replace by customer_order_id."""

    def put_lines(self, rows: Sequence[CustomerLineRow]) -> None: ...
    def put_pieces(self, rows: Sequence[PieceRow]) -> None: ...
    def put_customers(self, rows: Sequence[CustomerRow]) -> None: ...
    def add_decisions(self, rows: Sequence[DecisionRow]) -> None: ...
    def add_events(self, rows: Sequence[ProcessEventRow]) -> None: ...
    def get(self, customer_order_ids: Sequence[int]) -> dict[int, CustomerOrderRow]: ...
    def find(self, channel: str, number: str) -> CustomerOrderRow | None: ...
    def numbered(self, number: str) -> list[CustomerOrderRow]: ...
    def of_root(self, root_id: str) -> list[CustomerOrderRow]: ...
    def of_origin(self, order_ids: Sequence[int]) -> list[CustomerOrderRow]:
        """The customer orders that these received orders (`orders.order_id`) became."""

    def customer(self, customer: str) -> CustomerRow | None: ...
    def lines(self, customer_order_ids: Sequence[int]) -> list[CustomerLineRow]:
        """By order and ordinal."""

    def pieces(self, customer_order_ids: Sequence[int]) -> list[PieceRow]:
        """By order and piece id."""

    def pieces_ordered_by(self, order_ids: Sequence[int]) -> list[PieceRow]:
        """The pieces that these partner orders (`orders.order_id`) are for."""

    def pieces_named(self, piece_ids: Sequence[int]) -> list[PieceRow]: ...
    def decisions(self, customer_order_id: int) -> list[DecisionRow]: ...
    def events(self, customer_order_id: int) -> list[ProcessEventRow]: ...
    def due(self, now: int, limit: int) -> list[CustomerOrderRow]:
        """Orders to look at now (next_at <= now): the most urgent first, then the oldest."""

    def next_due(self) -> int | None: ...
    def wake(self, customer_order_ids: Sequence[int], now: int) -> int:
        """Let these orders be looked at now, unless they are at their end; how many that changed."""

    def wake_taken(self, partner_id: str, epoch: int, through: int, after: int, now: int) -> int:
        """Let the orders be looked at whose partner orders, with after < number <= through, still stand as "sent"."""

    def back_ordered(self, item_keys: Sequence[str]) -> list[CustomerOrderRow]:
        """Orders that wait for one of these items: the most urgent first, then the oldest."""

    def hindered(self, after: int, limit: int) -> list[int]:
        """Orders with an id above `after`, by id, of which something waits for other than supply or a notice's end."""

    def claims(self, item_keys: Sequence[str]) -> list[ClaimRow]:
        """Pieces of these items that count on stock which no hold keeps: the most urgent first, then the oldest."""

    def counts(self) -> dict[str, int]: ...
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
