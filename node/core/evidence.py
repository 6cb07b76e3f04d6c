"""Evidence: what one file proves of who sent what to whom, and who received it. Pure; it needs no node and no network.

A reader trusts nothing but the fingerprints that it expects. From them follow the cards, from the cards the keys, from
the keys the heads and receipts, and from those the documents: a good signature over a head proves every document up to
it, and a good receipt that the other side took note of them. Keys count by position on the link, not by date, so the
file can be checked years later. Erased documents leave a leaf that verifies and tells nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from node.core.card import (
    Card,
    HeldCard,
    Revocation,
    SignedCard,
    canonical_fingerprint,
    fingerprint,
    verify_history,
)
from node.core.document.common import Reason
from node.core.finding import Finding
from node.core.link import (
    BATCH_DOMAIN,
    RECEIPT_DOMAIN,
    BatchEntry,
    BatchHead,
    Outcome,
    Receipt,
    ReceiptBody,
    chain_after,
    chain_start,
    leaf_of,
    link_id_of,
)
from node.errors import RefusedError

__all__ = [
    "FORMAT",
    "Company",
    "DocumentProof",
    "Evidence",
    "EvidenceLink",
    "LinkReport",
    "Report",
    "SignedHead",
    "examine",
]

FORMAT = "hansa.v1 evidence"

Value = TypeVar("Value")
Verify = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature, message) -> whether the Ed25519 signature is good."""


@dataclass(frozen=True, kw_only=True)
class SignedHead:
    """The bytes of a BatchHead, and their signature."""

    head: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, kw_only=True)
class EvidenceLink:
    """One direction of a link in one epoch, from number `first` on; `chain_before` is the chain value before it."""

    link_id: bytes = b""
    sender: str = ""
    receiver: str = ""
    epoch: int = 0
    first: int = 0
    chain_before: bytes = b""
    entries: tuple[BatchEntry, ...] = ()
    heads: tuple[SignedHead, ...] = ()
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one side holds of its links, for anybody to check offline."""

    format: str = ""
    cards: tuple[SignedCard, ...] = ()
    links: tuple[EvidenceLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Company:
    """A company in the evidence, as its cards say; `expected` when its fingerprint is the one the reader expects."""

    id: str
    name: str
    fingerprint: str
    cards: int
    expected: bool


@dataclass(frozen=True, slots=True)
class DocumentProof:
    """One document: what it is, whether its sender signed for it, and what its receiver answered."""

    number: int
    type: str  # "" once erased
    sha256: str  # of its bytes, in hexadecimal; "" once erased
    erased: bool
    sent: bool  # the sender's good signature covers it
    outcome: str  # TAKEN, REFUSED, HELD by a good receipt; "" without one
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class LinkReport:
    """What is proved of one direction of a link in one epoch."""

    link_id: str
    sender: str
    receiver: str
    epoch: int
    first: int
    last: int
    sent_through: int  # the sender's signatures prove documents up to this number
    received_through: int  # and the receiver's receipts up to this one
    heads: int
    receipts: int
    first_at: datetime | None  # of the instants that the sender's heads and the receiver's receipts name
    last_at: datetime | None
    documents: tuple[DocumentProof, ...]

    @property
    def erased(self) -> int:
        """Documents of which only the leaf is left."""
        return sum(one.erased for one in self.documents)

    def count(self, outcome: str) -> int:
        """Documents with this outcome; "" are those without a receipt."""
        return sum(one.outcome == outcome for one in self.documents)


@dataclass(frozen=True, slots=True)
class Report:
    """What a file of evidence proves; `findings` is what is wrong with it, and it is `sound` when nothing is."""

    companies: tuple[Company, ...]
    links: tuple[LinkReport, ...]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether everything in the file is proved, by the companies that the reader expects."""
        return not self.findings


class Decode:
    """Bytes to values, as the wire gate does it; what cannot be read becomes a finding."""

    def __init__(self, decode: Callable[[type, bytes], object], findings: list[Finding]) -> None:
        self._decode = decode
        self._findings = findings

    def __call__(self, cls: type[Value], data: bytes, path: str) -> Value | None:
        """The value, or None and a finding."""
        try:
            made = self._decode(cls, data)
        except RefusedError as error:
            self._findings.append(Finding("unreadable", path, error.message))
            return None
        assert isinstance(made, cls)
        return made


@dataclass
class _Key:
    public_key: bytes
    until: int | None = None
    revoked: bool = False


@dataclass
class _Walk:
    """One link while it is examined."""

    link: EvidenceLink
    path: str
    findings: list[Finding]
    chains: dict[int, bytes] = field(default_factory=dict)
    instants: list[datetime] = field(default_factory=list)
    sent_through: int = 0
    received_through: int = 0
    outcomes: dict[int, tuple[Outcome, tuple[Reason, ...]]] = field(default_factory=dict)

    def find(self, rule: str, where: str, text: str) -> None:
        self.findings.append(Finding(rule, f"{self.path}{where}", text))


def examine(
    evidence: Evidence,
    expected: Mapping[str, str],
    verify: Verify,
    decode: Callable[[type, bytes], object],
) -> Report:
    """Check everything in `evidence` against the fingerprints `expected` of the companies, by participant id.

    `verify` checks an Ed25519 signature; `decode(class, bytes)` reads a message and raises RefusedError.
    """
    findings: list[Finding] = []
    read = Decode(decode, findings)
    if evidence.format != FORMAT:
        findings.append(Finding("unknown-format", "format", f"expected {FORMAT!r}, found {evidence.format[:60]!r}"))
    histories = _histories(evidence, verify, read, findings)
    companies = tuple(_company(history, expected, findings) for history in histories.values())
    for missing in sorted(expected.keys() - histories.keys()):
        findings.append(Finding("missing-company", "cards", f"there are no good cards of {missing}"))
    said = _said_of_keys(evidence, read)
    links = []
    for position, one in enumerate(evidence.links):
        walk = _Walk(one, f"links[{position}]", findings)
        links.append(_examine_link(walk, histories, said, verify, read))
    if not links:
        findings.append(Finding("empty", "links", "there is no link in this file"))
    return Report(companies, tuple(links), tuple(findings))


def _histories(evidence: Evidence, verify: Verify, read: Decode, findings: list[Finding]) -> dict[str, list[HeldCard]]:
    """The cards of each company that follow from its first one."""
    found: dict[str, list[HeldCard]] = {}
    for position, signed in enumerate(evidence.cards):
        card = read(Card, signed.body, f"cards[{position}]")
        if card is not None:
            found.setdefault(card.id, []).append(HeldCard(signed, card))
    good = {}
    for company, held in found.items():
        held.sort(key=lambda one: one.card.sequence)
        try:
            verify_history(held, verify)
        except RefusedError as error:
            findings.append(Finding(error.code, "cards", error.message))
        else:
            good[company] = held
    return good


def _company(history: Sequence[HeldCard], expected: Mapping[str, str], findings: list[Finding]) -> Company:
    newest, shown = history[-1].card, fingerprint(history[0].sha256)
    wanted = expected.get(newest.id)
    fits = False
    if wanted is None:
        text = f"no fingerprint was expected of {newest.id} ({newest.name}); its cards have {shown}"
        findings.append(Finding("not-expected", "cards", text))
    else:
        try:
            fits = canonical_fingerprint(wanted) == shown
        except RefusedError as error:
            findings.append(Finding(error.code, "cards", error.message))
        else:
            if not fits:
                text = f"the cards of {newest.id} have fingerprint {shown}, not {canonical_fingerprint(wanted)}"
                findings.append(Finding("wrong-fingerprint", "cards", text))
    return Company(newest.id, newest.name, shown, len(history), fits)


@dataclass
class _Said:
    """What the documents on all links say of keys: where cards came into force, and where revoked keys ended."""

    cards: dict[tuple[str, str, int], dict[bytes, int]] = field(default_factory=dict)  # link -> card's hash -> number
    revoked: dict[tuple[str, str], dict[tuple[str, int], int]] = field(default_factory=dict)


def _said_of_keys(evidence: Evidence, read: Decode) -> _Said:
    said = _Said()
    for position, link in enumerate(evidence.links):
        for offset, entry in enumerate(link.entries):
            number, path = link.first + offset, f"links[{position}].entries[{offset}]"
            if not entry.salt:
                continue
            if entry.type == "PartnerCard":
                signed = read(SignedCard, entry.body, path)
                if signed is not None:
                    places = said.cards.setdefault((link.sender, link.receiver, link.epoch), {})
                    places.setdefault(hashlib.sha256(signed.body).digest(), number)
            elif entry.type == "Revocation":
                revocation = read(Revocation, entry.body, path)
                # A company revokes its own keys only; other such documents were refused, and change nothing.
                if revocation is None or revocation.id != link.sender or revocation.last_good_number >= number:
                    continue
                ends = said.revoked.setdefault((link.sender, revocation.key_id), {})
                place, last = (link.receiver, link.epoch), revocation.last_good_number
                ends[place] = min(ends.get(place, last), last)
    return said


def _examine_link(
    walk: _Walk,
    histories: Mapping[str, Sequence[HeldCard]],
    said: _Said,
    verify: Verify,
    read: Decode,
) -> LinkReport:
    link = walk.link
    _chain(walk)
    sender, receiver = histories.get(link.sender), histories.get(link.receiver)
    if sender is None or receiver is None:
        walk.find("unknown-company", "", f"the cards of {link.sender} or of {link.receiver} are missing")
    elif link.link_id != link_id_of(sender[0].sha256, receiver[0].sha256):
        walk.find("wrong-link", ".link_id", "the link id does not follow from the two first cards")
    else:
        _heads(walk, _keys(link, sender, said), verify, read)
        _receipts(walk, _keys(link, receiver, said), verify, read)
    last = link.first + len(link.entries) - 1
    if walk.sent_through < last:
        walk.find("not-signed", "", f"documents {walk.sent_through + 1} to {last} are under no good signature")
    return LinkReport(
        link_id=link.link_id.hex(),
        sender=link.sender,
        receiver=link.receiver,
        epoch=link.epoch,
        first=link.first,
        last=last,
        sent_through=walk.sent_through,
        received_through=walk.received_through,
        heads=len(link.heads),
        receipts=len(link.receipts),
        first_at=min(walk.instants, default=None),
        last_at=max(walk.instants, default=None),
        documents=tuple(_proof(walk, number, entry) for number, entry in enumerate(link.entries, start=link.first)),
    )


def _chain(walk: _Walk) -> None:
    """Find the chain value after each number."""
    link = walk.link
    chain = link.chain_before
    if link.first < 1:
        walk.find("bad-first", ".first", "documents are numbered from 1")
    if link.first == 1 and chain != chain_start(link.link_id, link.sender, link.receiver, link.epoch):
        walk.find("broken-chain", ".chain_before", "the chain does not begin where this link does")
    walk.chains[link.first - 1] = chain
    walk.sent_through = walk.received_through = link.first - 1
    for offset, entry in enumerate(link.entries):
        leaf = entry.leaf
        if entry.salt or not leaf:
            leaf = leaf_of(entry.salt, entry.type, entry.body)
            if entry.leaf not in (b"", leaf):
                walk.find("wrong-leaf", f".entries[{offset}]", "the document's bytes do not give the leaf beside them")
        chain = chain_after(chain, (leaf,))
        walk.chains[link.first + offset] = chain


def _keys(link: EvidenceLink, history: Sequence[HeldCard], said: _Said) -> dict[str, _Key]:
    """A company's keys, and up to which number of its link each speaks: until a card drops it, or it is revoked."""
    owner = history[0].card.id
    places = said.cards.get((owner, link.receiver, link.epoch), {}) if owner == link.sender else {}
    keys: dict[str, _Key] = {}
    for held in history:
        named = {key.key_id: key.public_key for key in held.card.signing_keys}
        for key_id in keys.keys() - named.keys():
            if keys[key_id].until is None:
                keys[key_id].until = places.get(held.sha256)
        for key_id, public_key in named.items():
            keys[key_id] = _Key(public_key)
    for key_id, key in keys.items():
        ends = said.revoked.get((owner, key_id))
        if ends is None:
            continue
        key.revoked = True
        last = ends.get((link.receiver, link.epoch)) if owner == link.sender else None
        if last is not None:
            key.until = last if key.until is None else min(key.until, last)
    return keys


def _heads(walk: _Walk, keys: Mapping[str, _Key], verify: Verify, read: Decode) -> None:
    """Check every signed head; a later good one vouches for what an earlier one covered, whatever became of its key."""
    link = walk.link
    late: list[tuple[int, str, str]] = []
    for position, signed in enumerate(link.heads):
        where = f".heads[{position}]"
        head = read(BatchHead, signed.head, walk.path + where)
        if head is None:
            continue
        if (head.link_id, head.sender, head.receiver, head.epoch) != (
            link.link_id,
            link.sender,
            link.receiver,
            link.epoch,
        ):
            walk.find("wrong-head", where, "the head belongs to another link, direction or epoch")
        elif head.number not in walk.chains or walk.chains[head.number] != head.chain:
            walk.find("wrong-head", where, f"the documents do not lead to the head signed at number {head.number}")
        elif head.key_id not in keys:
            walk.find("unknown-key", where, f"key {head.key_id[:32]!r} is on no card of {link.sender}")
        elif not verify(keys[head.key_id].public_key, signed.signature, BATCH_DOMAIN + signed.head):
            walk.find("bad-signature", where, f"the signature at number {head.number} does not fit")
        else:
            until = keys[head.key_id].until
            if until is not None and head.number > until:
                text = f"key {head.key_id} spoke only up to number {until}, and signed number {head.number}"
                late.append((head.number, where, text))
                continue
            walk.sent_through = max(walk.sent_through, head.number)
            if head.signed_at is not None:
                walk.instants.append(head.signed_at)
    for number, where, text in late:
        if number > walk.sent_through:
            walk.find("key-not-in-force", where, text)


def _receipts(walk: _Walk, keys: Mapping[str, _Key], verify: Verify, read: Decode) -> None:
    """Check the chain of receipts; each vouches for those before it, so the last one by a good key decides."""
    previous: Receipt | None = None
    before = ReceiptBody()
    pending: list[ReceiptBody] = []
    for position, receipt in enumerate(walk.link.receipts):
        where = f".receipts[{position}]"
        body = read(ReceiptBody, receipt.body, walk.path + where)
        if body is None or not _receipt_fits(walk, where, body, previous, before):
            return
        pending.append(body)
        previous, before = receipt, body
        key = keys.get(body.key_id)
        if key is None:
            walk.find("unknown-key", where, f"key {body.key_id[:32]!r} is on no card of {walk.link.receiver}")
        elif not verify(key.public_key, receipt.signature, RECEIPT_DOMAIN + receipt.body):
            walk.find("bad-signature", where, f"the signature of receipt {body.sequence} does not fit")
        elif not key.revoked:
            _count(walk, pending)
            pending.clear()
    if any(one.key_id in keys and keys[one.key_id].revoked for one in pending):
        text = (
            f"receipts {pending[0].sequence} to {pending[-1].sequence} are under keys that were revoked, with no other"
        )
        walk.find("revoked-key", ".receipts", text)


def _receipt_fits(walk: _Walk, where: str, body: ReceiptBody, previous: Receipt | None, before: ReceiptBody) -> bool:
    link = walk.link
    if (body.link_id, body.sender, body.receiver, body.epoch) != (
        link.link_id,
        link.sender,
        link.receiver,
        link.epoch,
    ):
        walk.find("wrong-receipt", where, "the receipt belongs to another link, direction or epoch")
    elif body.number not in walk.chains or walk.chains[body.number] != body.chain:
        walk.find("wrong-receipt", where, f"the receipt is for other documents than these, at number {body.number}")
    elif previous is not None and (
        body.sequence != before.sequence + 1
        or body.previous_sha256 != hashlib.sha256(previous.body).digest()
        or body.number < before.number
    ):
        walk.find("broken-receipts", where, f"receipt {body.sequence} does not follow receipt {before.sequence}")
    elif previous is None and body.sequence == 1 and body.previous_sha256:
        walk.find("broken-receipts", where, "the first receipt names one before it")
    else:
        return True
    return False


def _count(walk: _Walk, receipts: Sequence[ReceiptBody]) -> None:
    for body in receipts:
        walk.received_through = max(walk.received_through, body.number)
        if body.given_at is not None:
            walk.instants.append(body.given_at)
        for one in body.outcomes:
            if one.number <= body.number:
                walk.outcomes[one.number] = (one.outcome, one.reasons)


def _proof(walk: _Walk, number: int, entry: BatchEntry) -> DocumentProof:
    erased = not entry.salt
    outcome = ""
    reasons: tuple[Reason, ...] = ()
    if number <= walk.received_through:
        outcome, reasons = walk.outcomes.get(number, (Outcome.TAKEN, ()))
    return DocumentProof(
        number=number,
        type="" if erased else entry.type,
        sha256="" if erased else hashlib.sha256(entry.body).hexdigest(),
        erased=erased,
        sent=number <= walk.sent_through,
        outcome=outcome,
        reasons=reasons,
    )
