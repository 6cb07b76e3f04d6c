"""What the application needs of the world, as protocols: the store's transaction, keys, the clock, randomness.

The store implements `Transaction` once, on SQLAlchemy, for SQLite and PostgreSQL; nothing here knows SQL. A use case
is a function that takes a `Transaction`; the shell runs it, commits, and only then lets its result out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from node.core.rows import CursorRow
from node.ports.customers import CustomerOrderStore
from node.ports.exchange import USAGES, DocumentStore, HandoverStore, Identity, LinkStore, PartnerStore
from node.ports.planning import DemandStore, DisruptionStore, OfferStore, PerformanceStore, ProblemStore, QuoteStore
from node.ports.trade import CounterDifference, ErpHoldStore, OrderIdentity, OrderStore, ReservationStore, StockStore
from node.ports.world import Clock, Keyring, Random, Signer, Verifier

__all__ = [
    "USAGES",
    "Clock",
    "CounterDifference",
    "CustomerOrderStore",
    "DemandStore",
    "DisruptionStore",
    "DocumentStore",
    "ErpHoldStore",
    "HandoverStore",
    "Identity",
    "Keyring",
    "LinkStore",
    "OfferStore",
    "OrderIdentity",
    "OrderStore",
    "PartnerStore",
    "PerformanceStore",
    "ProblemStore",
    "QuoteStore",
    "Random",
    "ReservationStore",
    "SettingStore",
    "Signer",
    "StockStore",
    "Store",
    "Transaction",
    "Verifier",
]

Result = TypeVar("Result")


class SettingStore(Protocol):
    """Small named values and adapters' cursors."""

    def get(self, name: str) -> str | None: ...
    def put(self, name: str, value: str) -> None: ...
    def cursor(self, adapter: str) -> CursorRow | None: ...
    def put_cursor(self, row: CursorRow) -> None: ...


class Transaction(Protocol):
    """One transaction of the store: all of it happens, or nothing."""

    partners: PartnerStore
    links: LinkStore
    documents: DocumentStore
    handovers: HandoverStore
    orders: OrderStore
    stock: StockStore
    performance: PerformanceStore
    demand: DemandStore
    offers: OfferStore
    disruptions: DisruptionStore
    reservations: ReservationStore
    erp_holds: ErpHoldStore
    customer_orders: CustomerOrderStore
    quotes: QuoteStore
    problems: ProblemStore
    settings: SettingStore

    def savepoint(self) -> AbstractContextManager[None]:
        """A part that can fail alone: leaving it by an exception undoes only what was done inside."""


class Store(Protocol):
    """A database. Writes go through one writer, which groups waiting use cases into one commit."""

    def write(self, use_case: Callable[[Transaction], Result]) -> Result:
        """Run and commit; blocks until it is durable. An exception rolls back only this use case."""

    def read(self, use_case: Callable[[Transaction], Result]) -> Result:
        """Run on a read snapshot, beside the writer."""

    async def write_async(self, use_case: Callable[[Transaction], Result]) -> Result:
        """As `write`, without blocking the event loop."""

    async def read_async(self, use_case: Callable[[Transaction], Result]) -> Result:
        """As `read`, without blocking the event loop."""

    def close(self) -> None: ...
