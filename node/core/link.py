"""A link: a numbered, hash-chained log of documents in one direction between two partners. Pure rules, no IO.

leaf(document)  = SHA-256(salt || type || length of body || body)
chain(0)        = SHA-256(domain || link id || sender || receiver || epoch)
chain(n)        = SHA-256(chain(n-1) || leaf(n))
link id         = first 16 bytes of SHA-256(domain || both first cards' hashes, the lower first)

The sender signs the chain's head once per batch; the receiver answers with signed receipts, which form a chain of their
own. What is signed is always the exact bytes of a message, after a domain string.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from node.core.document.common import ItemRef, Reason
from node.core.document.inventory import StockBasis, StockLine

__all__ = [
    "BATCH_DOMAIN",
    "RECEIPT_DOMAIN",
    "WIRE_VERSION",
    "Answer",
    "AvailabilityAnswer",
    "AvailabilityQuery",
    "Batch",
    "BatchEntry",
    "BatchHead",
    "DocumentOutcome",
    "Frame",
    "Goodbye",
    "Hello",
    "LinkFault",
    "Outcome",
    "Position",
    "Query",
    "Receipt",
    "ReceiptBody",
    "chain_after",
    "chain_start",
    "compare_incoming",
    "compare_outgoing",
    "leaf_of",
    "link_id_of",
    "personal_hash",
]

WIRE_VERSION = 1
BATCH_DOMAIN = b"hansa.v1 batch\x00"
RECEIPT_DOMAIN = b"hansa.v1 receipt\x00"
_LINK_DOMAIN = b"hansa.v1 link\x00"
_CHAIN_DOMAIN = b"hansa.v1 chain\x00"
_PERSONAL_DOMAIN = b"hansa.v1 personal\x00"


class Outcome(StrEnum):
    """What became of a received document."""

    UNSPECIFIED = "UNSPECIFIED"
    TAKEN = "TAKEN"
    REFUSED = "REFUSED"
    HELD = "HELD"


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where one direction of a link stands, as one side knows it."""

    epoch: int = 0
    number: int = 0
    chain: bytes = b""
    receipt_sequence: int = 0
    receipt_sha256: bytes = b""
    oldest_number: int = 0


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The first frame of both sides on every stream."""

    versions: tuple[int, ...] = ()
    link_id: bytes = b""
    sender: str = ""
    receiver: str = ""
    outgoing: Position | None = None
    incoming: Position | None = None
    accepts: tuple[str, ...] = ()
    card_sha256: bytes = b""
    sent_at: datetime | None = None
    software: str = ""
    understands: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BatchHead:
    """What a batch's signature covers, with `BATCH_DOMAIN` before its bytes."""

    link_id: bytes = b""
    sender: str = ""
    receiver: str = ""
    epoch: int = 0
    number: int = 0
    chain: bytes = b""
    key_id: str = ""
    signed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class BatchEntry:
    """One document of a batch: exact bytes and salt; of an erased one only the leaf."""

    type: str = ""
    salt: bytes = b""
    body: bytes = b""
    personal_salt: bytes = b""
    personal: bytes = b""
    leaf: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Documents in order; `head` is the bytes of a BatchHead that names the last one's number and chain value."""

    head: bytes = b""
    signature: bytes = b""
    entries: tuple[BatchEntry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DocumentOutcome:
    """What became of one document; documents up to a receipt's head that are not named are taken."""

    number: int = 0
    outcome: Outcome = Outcome.UNSPECIFIED
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReceiptBody:
    """What a receipt says; signed with `RECEIPT_DOMAIN` before its bytes."""

    link_id: bytes = b""
    sender: str = ""
    receiver: str = ""
    epoch: int = 0
    sequence: int = 0
    previous_sha256: bytes = b""
    number: int = 0
    chain: bytes = b""
    outcomes: tuple[DocumentOutcome, ...] = ()
    given_at: datetime | None = None
    key_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A receipt's exact bytes and its signature."""

    body: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, kw_only=True)
class AvailabilityQuery:
    """ "What do you have of these?" Advisory: never binds, never cascades."""

    items: tuple[ItemRef, ...] = ()
    location: str = ""


@dataclass(frozen=True, kw_only=True)
class AvailabilityAnswer:
    """The figures that the asked side shares with the asker, as of now."""

    lines: tuple[StockLine, ...] = ()
    as_of: datetime | None = None
    basis: StockBasis = StockBasis.UNSPECIFIED


@dataclass(frozen=True, kw_only=True)
class Query:
    """A question on the stream; exactly one of its kinds is set."""

    id: int = 0
    availability: AvailabilityQuery | None = None
    ping: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to the query of the same id."""

    id: int = 0
    availability: AvailabilityAnswer | None = None
    pong: bool = False
    refused: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class Goodbye:
    """The sender closes, and says why and what may be done."""

    reason: Reason | None = None


Frame = Hello | Batch | Receipt | Query | Answer | Goodbye


class LinkFault(Exception):
    """The two sides' accounts of a link do not fit together.

    `kind` is "fork" (two heads at one number: fraud or a grave error), "restored-self" (the partner proves more than we
    remember: we were restored from an old copy), "restored-partner" (the other way about), "broken" (a batch or receipt
    does not continue what went before) or "signature".
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def leaf_of(salt: bytes, document_type: str, body: bytes) -> bytes:
    """The leaf of a document: SHA-256 over salt, type (NUL-terminated), length (8 bytes, big-endian) and body."""
    return hashlib.sha256(b"%b%b\x00%b%b" % (salt, document_type.encode(), len(body).to_bytes(8, "big"), body)).digest()


def personal_hash(salt: bytes, personal: bytes) -> bytes:
    """The salted hash by which a document's signed body names the personal data beside it."""
    return hashlib.sha256(_PERSONAL_DOMAIN + salt + personal).digest()


def link_id_of(first_card_sha256: bytes, other_first_card_sha256: bytes) -> bytes:
    """The id (16 bytes) of the pair of links between two companies; both sides compute the same."""
    low, high = sorted((first_card_sha256, other_first_card_sha256))
    return hashlib.sha256(_LINK_DOMAIN + low + high).digest()[:16]


def chain_start(link_id: bytes, sender: str, receiver: str, epoch: int) -> bytes:
    """chain(0): binds link, direction and epoch, and through the link id both first cards."""
    parts = (link_id, sender.encode(), b"\x00", receiver.encode(), b"\x00", epoch.to_bytes(4, "big"))
    return hashlib.sha256(_CHAIN_DOMAIN + b"".join(parts)).digest()


def chain_after(chain: bytes, leaves: Iterable[bytes]) -> bytes:
    """The chain value after these leaves."""
    for leaf in leaves:
        chain = hashlib.sha256(chain + leaf).digest()
    return chain


def compare_outgoing(mine: Position, theirs: Position, chain_at_theirs: bytes | None) -> None:
    """Check the partner's account of what we sent against ours, before anything is numbered or resent.

    `theirs` is the partner's `incoming` position; `chain_at_theirs` our own chain value at the partner's number, where
    we have it. Returns when the link may go on from the partner's number; raises LinkFault otherwise.
    """
    if theirs.epoch != mine.epoch:
        kind = "restored-self" if theirs.epoch > mine.epoch else "restored-partner"
        raise LinkFault(kind, f"epochs differ: ours {mine.epoch}, the partner's {theirs.epoch}")
    if theirs.number > mine.number:
        raise LinkFault(
            "restored-self",
            f"the partner holds our documents up to number {theirs.number}, we remember only {mine.number}",
        )
    if theirs.receipt_sequence < mine.receipt_sequence:
        raise LinkFault(
            "restored-partner",
            f"the partner gave us receipt {mine.receipt_sequence}, but remembers only {theirs.receipt_sequence}",
        )
    if theirs.receipt_sequence == mine.receipt_sequence and theirs.receipt_sha256 != mine.receipt_sha256:
        raise LinkFault("fork", f"two different receipts with sequence {mine.receipt_sequence}")
    if chain_at_theirs is not None and chain_at_theirs != theirs.chain:
        raise LinkFault("fork", f"two different heads at number {theirs.number}")


def compare_incoming(mine: Position, theirs: Position, receipt_at_theirs: bytes | None) -> None:
    """Check the partner's account of what it sent against what we took.

    `theirs` is the partner's `outgoing` position; `receipt_at_theirs` the hash of our receipt with the partner's last
    verified sequence, where we have it. Raises LinkFault when the link may not go on.
    """
    if theirs.epoch != mine.epoch:
        kind = "restored-self" if theirs.epoch > mine.epoch else "restored-partner"
        raise LinkFault(kind, f"epochs differ: ours {mine.epoch}, the partner's {theirs.epoch}")
    if theirs.receipt_sequence > mine.receipt_sequence:
        raise LinkFault(
            "restored-self",
            f"the partner holds our receipt {theirs.receipt_sequence}, we remember only {mine.receipt_sequence}",
        )
    if theirs.number < mine.number:
        raise LinkFault(
            "restored-partner",
            f"we hold the partner's documents up to number {mine.number}, it remembers only {theirs.number}",
        )
    if theirs.number == mine.number and theirs.chain != mine.chain:
        raise LinkFault("fork", f"two different heads at number {mine.number}")
    if receipt_at_theirs is not None and receipt_at_theirs != theirs.receipt_sha256:
        raise LinkFault("fork", f"two different receipts with sequence {theirs.receipt_sequence}")
