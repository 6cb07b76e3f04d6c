"""What the application needs of the world, as protocols: the store's transaction, keys, the clock, randomness.

The store implements `Transaction` once, on SQLAlchemy, for SQLite and PostgreSQL; nothing here knows SQL. A use case
is a function that takes a `Transaction`; the shell runs it, commits, and only then lets its result out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from node.core.customer_store import CustomerOrderStore
from node.core.problem_rows import ProblemRow
from node.core.promise_rows import (
    DemandDayRow,
    DisruptionRow,
    ItemOfferRow,
    ItemPriceRow,
    LeadTimeRow,
    MeasureDayRow,
    PartnerMeasureRow,
    SiteLoadRow,
)
from node.core.quote_rows import QuoteRow
from node.core.reservation_rows import ReservationRow, StockCounterRow
from node.core.rows import (
    AliasRow,
    CardRow,
    CursorRow,
    DocumentRow,
    HandoverRow,
    HeadRow,
    LineEventRow,
    LinkRow,
    OrderLineRow,
    OrderRow,
    PartnerRow,
    ReceiptRow,
    ReplenishmentRuleRow,
    SnapshotRow,
    StockRow,
)

__all__ = [
    "USAGES",
    "Clock",
    "CounterDifference",
    "CustomerOrderStore",
    "DemandStore",
    "DisruptionStore",
    "DocumentStore",
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


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The instant, aware and in UTC."""


class Random(Protocol):
    """The only source of randomness."""

    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""


class Signer(Protocol):
    """Our own signing key that a partner knows already."""

    @property
    def key_id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the public key."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature (64 bytes)."""


class Keyring(Protocol):
    """Our own private keys."""

    def signer(self, key_id: str) -> Signer:
        """The signer of this key. Raises ConfigError that names the missing key file."""

    def key_ids(self) -> list[str]:
        """The keys that are there, newest first."""


Verifier = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature, message) -> whether the Ed25519 signature is good."""


USAGES = ("TEST", "PRODUCTION")
"""Two worlds on one link: a business identity in one says nothing about the other."""


class Identity(NamedTuple):
    """The business identity of a document on one partner's links."""

    issuer: str
    unit: str
    type: str
    number: str
    series: str
    revision: int
    usage: str


class OrderIdentity(NamedTuple):
    """The business identity of an order, whatever its revision."""

    issuer: str
    unit: str
    number: str
    series: str
    usage: str


class PartnerStore(Protocol):
    """Partners and their cards. Our own company is the partner in state "self"."""

    def get(self, partner_id: str) -> PartnerRow | None: ...
    def own(self) -> PartnerRow:
        """Our own row. Raises ConfigError when `hansa init` has not been run."""

    def all(self) -> list[PartnerRow]:
        """All partners but ourselves, by name."""

    def put(self, row: PartnerRow) -> None:
        """Insert or replace by partner_id."""

    def cards(self, partner_id: str) -> list[CardRow]:
        """A partner's cards by sequence."""

    def put_card(self, row: CardRow) -> None:
        """Insert or replace by (partner_id, sequence)."""


class LinkStore(Protocol):
    """Positions, signed heads and receipts of both directions."""

    def get(self, partner_id: str, direction: str) -> LinkRow | None: ...
    def put(self, row: LinkRow) -> None: ...
    def all(self) -> list[LinkRow]: ...
    def add_head(self, row: HeadRow) -> None: ...
    def head_at(self, partner_id: str, direction: str, epoch: int, number: int) -> HeadRow | None: ...
    def heads_after(self, partner_id: str, direction: str, epoch: int, number: int, limit: int) -> list[HeadRow]: ...
    def add_receipt(self, row: ReceiptRow) -> None: ...
    def receipt_at(self, partner_id: str, direction: str, epoch: int, sequence: int) -> ReceiptRow | None: ...
    def receipts_after(
        self, partner_id: str, direction: str, epoch: int, sequence: int, limit: int
    ) -> list[ReceiptRow]: ...


class DocumentStore(Protocol):
    """Documents of both directions, by link number and by business identity."""

    def next_ids(self, count: int) -> int:
        """Reserve `count` document ids and return the first; ids only ever grow."""

    def add(self, rows: Sequence[DocumentRow]) -> None: ...
    def get(self, document_id: int) -> DocumentRow | None: ...
    def waiting(self, partner_id: str, limit: int, bytes_max: int, aged_before: int) -> list[DocumentRow]:
        """Documents without a number, by priority, then id; but the first to come go first when they are old.

        Old is what was stored before `aged_before`. At most `limit`, and as many of them as have `bytes_max` bytes,
        but one at least.
        """

    def first_waiting(self, partner_id: str) -> int | None:
        """The lowest id of those that wait for a partner, None where nothing waits; found at once."""

    def count_waiting(self, partner_id: str, most: int) -> int:
        """How many wait for a partner, counted up to `most`: it takes as long as there are many."""

    def waiting_partners(self) -> list[str]:
        """Partners for whom documents wait for a number."""

    def number(self, numbered: Sequence[tuple[int, int, int]]) -> None:
        """Give numbers: (epoch, number, document_id); the state becomes "sent"."""

    def span(self, partner_id: str, direction: str, epoch: int, first: int, last: int) -> list[DocumentRow]:
        """Documents first..last of a link, by number."""

    def find(self, partner_id: str, direction: str, identities: Sequence[Identity]) -> dict[Identity, DocumentRow]:
        """The document of each identity that has one standing: waiting, sent or taken, and no duplicate.

        Of our own documents also one that the partner holds: it may still be taken.
        """

    def set_outcomes(self, outcomes: Sequence[tuple[str, str, int]]) -> None:
        """Set (state, reasons, document_id)."""

    def set_duplicate(self, document_id: int, duplicate_of: int) -> None:
        """Say that a document only repeats another one, which stands for both."""

    def take_sent(self, partner_id: str, epoch: int, through: int, after: int) -> None:
        """Set state "taken" on our sent documents with after < number <= through that still stand as "sent"."""

    def held_objects(self, partner_id: str) -> set[str]:
        """Object keys of received documents that are held: what follows on them waits behind."""

    def search(
        self,
        *,
        partner_id: str | None = None,
        direction: str | None = None,
        type: str | None = None,
        state: str | None = None,
        number: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[DocumentRow]:
        """Newest first; `before` is a document id for paging."""

    def counts(self) -> list[tuple[str, str, str, int]]:
        """(partner_id, direction, state, count) over all documents."""

    def erase(self, document_ids: Sequence[int], *, personal_only: bool) -> None:
        """Forget bytes and salts; the leaf stays, so the chain still verifies."""

    def erasable(self, types: Sequence[str], stored_before: int, *, personal_only: bool, limit: int) -> list[int]:
        """Ids of documents of these types stored before, not yet erased, and done with here.

        Not those that wait, are sent or held, or still have to go into our own system.
        """


class HandoverStore(Protocol):
    """What waits to go into our ERP."""

    def add(self, rows: Sequence[HandoverRow]) -> None: ...
    def due(self, now: int, types: Sequence[str], usage: str, after: int, limit: int) -> list[HandoverRow]:
        """Waiting rows of these types with next_at <= now, of documents of this usage after that id, in their order."""

    def not_yet(self, now: int) -> list[tuple[str, str, int]]:
        """What is tried again only later or waits for a human: (partner_id, object_key, first document_id)."""

    def get(self, document_id: int) -> HandoverRow | None: ...
    def put(self, row: HandoverRow) -> None: ...
    def failed(self, limit: int) -> list[HandoverRow]: ...
    def counts(self) -> dict[str, int]:
        """Rows by state."""


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
    def put_aliases(self, rows: Sequence[AliasRow]) -> None: ...
    def aliases(self, names: Sequence[str]) -> list[AliasRow]:
        """Rows whose alias or item_number is one of `names`."""

    def put_rules(self, rows: Sequence[ReplenishmentRuleRow]) -> None: ...
    def rules(self, item_keys: Sequence[str]) -> list[ReplenishmentRuleRow]: ...


class PerformanceStore(Protocol):
    """How partners kept what they said, and how long they took."""

    def measures(self, partner_ids: Sequence[str]) -> list[PartnerMeasureRow]: ...
    def put_measures(self, rows: Sequence[PartnerMeasureRow]) -> None: ...
    def days(self, partner_id: str, since: str) -> list[MeasureDayRow]:
        """By day and measure, from the day `since` on."""

    def put_days(self, rows: Sequence[MeasureDayRow]) -> None: ...
    def lead_times(self, partner_ids: Sequence[str]) -> list[LeadTimeRow]:
        """By partner, stage and days."""

    def put_lead_times(self, rows: Sequence[LeadTimeRow]) -> None: ...


class DemandStore(Protocol):
    """What customers wanted, by item, day and region."""

    def days(self, item_keys: Sequence[str], since: str, until: str) -> list[DemandDayRow]:
        """By item, day and region; both days included."""

    def put(self, rows: Sequence[DemandDayRow]) -> None: ...
    def items(self, since: str) -> list[str]:
        """The items with demand on or after the day."""

    def loads(self, day: str) -> list[SiteLoadRow]:
        """What sites have been given to send on a day."""

    def put_loads(self, rows: Sequence[SiteLoadRow]) -> None: ...


class OfferStore(Protocol):
    """What catalogues say of items, and prices."""

    def offers(self, item_keys: Sequence[str]) -> list[ItemOfferRow]: ...
    def prices(self, item_keys: Sequence[str]) -> list[ItemPriceRow]:
        """By item, partner, currency and minimum."""

    def of_partner(self, partner_id: str) -> list[str]:
        """The keys of the items that a partner offers."""

    def put_offers(self, rows: Sequence[ItemOfferRow]) -> None: ...
    def replace_prices(self, partner_id: str, item_keys: Sequence[str], rows: Sequence[ItemPriceRow]) -> None:
        """A partner's prices of these items are `rows` from now on."""


class DisruptionStore(Protocol):
    """Notices of disruption, line by line."""

    def put(self, rows: Sequence[DisruptionRow]) -> None: ...
    def in_force(self, item_keys: Sequence[str]) -> list[DisruptionRow]:
        """Lines in force that name one of these items, or none."""

    def of_number(self, partner_id: str, number: str) -> list[DisruptionRow]: ...
    def of_root(self, root_id: str) -> list[DisruptionRow]: ...
    def search(self, *, state: str, limit: int) -> list[DisruptionRow]:
        """Newest first; `state` "" is every one."""


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


class QuoteStore(Protocol):
    """What carriers answered to questions about freight."""

    def put(self, rows: Sequence[QuoteRow]) -> None:
        """Insert or replace by (carrier, question)."""

    def find(self, keys: Sequence[tuple[str, str]]) -> list[QuoteRow]:
        """The answers to these (carrier, question), whether they still count or not."""

    def drop_old(self, now: int, limit: int) -> int:
        """Delete at most `limit` answers that count no more; returns how many went."""


class ProblemStore(Protocol):
    """What sourcing decisions were made of."""

    def add(self, rows: Sequence[ProblemRow]) -> None: ...
    def newest(self, since: int, limit: int) -> list[ProblemRow]:
        """Problems decided at or after the instant, newest first."""

    def drop(self, before: int, limit: int) -> int:
        """Delete at most `limit` problems decided before the instant; returns how many went."""


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


Fields = Mapping[str, Any]
"""A document as nested plain values, as adapters and JSON give it."""

Rows = Iterable[Sequence[Any]]
