"""The store of partners, links, documents and what goes into our ERP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from node.core.rows import CardRow, DocumentRow, HandoverRow, HeadRow, LinkRow, PartnerRow, ReceiptRow

__all__ = [
    "USAGES",
    "DocumentStore",
    "HandoverStore",
    "Identity",
    "LinkStore",
    "PartnerStore",
]


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
