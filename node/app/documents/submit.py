"""Submit our own documents to a partner: checked as the partner will check them, stored with their effects, then sent.

What the business numbers is the business's: a document submitted twice has no second effect; the same number with other
content becomes the next revision where its kind allows that, and is refused where it does not (invoices).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from node import wire
from node.app.context import Context
from node.app.documents import orders
from node.app.documents.identity import UNDERSTANDS, identity_of, object_key_of, same_content
from node.app.fulfilment import internal, notices
from node.app.links.outbox import SALT_BYTES, priority_of
from node.app.stock import allocation, performance
from node.core import link, order_book, validation
from node.core.document import Document, document_type, header_of
from node.core.document.common import DocumentHeader, PersonalData, Usage
from node.core.document.order import OrderCancellation, OrderChange, OrderResponse
from node.core.finding import Finding
from node.core.rows import DocumentRow, PartnerRow
from node.errors import RefusedError
from node.ports import Identity, Transaction

__all__ = ["Submission", "Submitted", "submit", "withdraw"]

Value = TypeVar("Value")

REVISABLE = frozenset(
    {
        "Order",
        "OrderResponse",
        "DespatchAdvice",
        "ReceivingAdvice",
        "ItemCatalogue",
        "ReplenishmentRequest",
        "ReplenishmentResponse",
        "DisruptionNotice",
        "Forecast",
        "TradeTerms",
        "ReturnAnnouncement",
        "ReturnReceipt",
        "RemittanceAdvice",
    }
)
"""Types of which other content under the same number is the next revision. Invoices are legal originals."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A document to send, with the personal data that travels beside it."""

    document: Document
    personal: PersonalData | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission: "waiting" (will be sent), "duplicate" (is there already) or "refused"."""

    state: str
    document_id: int | None
    findings: list[Finding] = field(default_factory=list)
    revision: int = 0
    """That under which it goes: other content under a number that was sent is the next one."""


@dataclass(slots=True)
class _Outgoing:
    submission: Submission
    document: Document
    identity: Identity
    personal_salt: bytes = b""
    personal: bytes = b""
    document_id: int = 0
    state: str = "waiting"
    findings: list[Finding] = field(default_factory=list)
    effects: order_book.Effects | None = None
    body: bytes = b""

    def refuse(self, *findings: Finding) -> None:
        self.state = "refused"
        self.findings = list(findings)


def submit(tx: Transaction, ctx: Context, partner_id: str, submissions: Sequence[Submission]) -> list[Submitted]:
    """Take documents for a partner, each on its own merits; one refused does not stop the others.

    Raises RefusedError when the partner cannot get documents at all, or when too many wait for it already.
    """
    partner = _partner(tx, partner_id)
    own = tx.partners.own().partner_id
    now = ctx.now()
    outgoing = [_complete(ctx, own, partner, one, _usage(tx, partner, one.document)) for one in submissions]
    _check(ctx, partner, own, outgoing)
    first = tx.documents.next_ids(len(outgoing))
    for offset, one in enumerate(outgoing):
        one.document_id = first + offset
    _identify(tx, ctx, partner, outgoing)  # a duplicate takes the id of the document that is there
    _check_room(tx, ctx, partner, first, sum(one.state == "waiting" for one in outgoing))
    _apply(tx, ctx, partner, outgoing)
    at = wire.micros(now)
    rows = [_row(ctx, own, partner, one, at) for one in outgoing if one.state == "waiting"]
    if partner.state == "self":
        rows = [internal.taken(row) for row in rows]
    tx.documents.add(rows)
    documents = [one.document for one in outgoing if one.state == "waiting"]
    allocation.submitted(tx, ctx, partner_id, documents)
    internal.follow(tx, ctx, rows, documents)
    return [
        Submitted(one.state, one.document_id if one.state != "refused" else None, one.findings, one.identity.revision)
        for one in outgoing
    ]


def _partner(tx: Transaction, partner_id: str) -> PartnerRow:
    partner = tx.partners.get(partner_id)
    if partner is not None and partner.state == "self":
        return internal.as_partner(tx, partner)
    if partner is None:
        raise RefusedError(
            f"{partner_id} is no partner of ours", code="unknown-partner", hint="See `hansa partner list`."
        )
    if partner.state != "confirmed":
        raise RefusedError(
            f"the link with {partner_id} is {partner.state}, documents cannot go yet",
            code="not-confirmed",
            hint="Compare fingerprints with `hansa partner show`, then `hansa partner confirm`.",
        )
    return partner


def _usage(tx: Transaction, partner: PartnerRow, document: Document) -> Usage:
    """In which usage a document goes that does not say it: the link's."""
    given = header_of(document).usage
    if given is not Usage.UNSPECIFIED:
        return given
    return internal.usage_of(tx, partner.partner_id, document) if partner.state == "self" else Usage(partner.usage)


def _complete(ctx: Context, own: str, partner: PartnerRow, submission: Submission, usage: Usage) -> _Outgoing:
    """Fill in what the node knows: who issues it, in which usage, when; and bind the personal data by its hash."""
    given = header_of(submission.document)
    salt = personal = b""
    if submission.personal is not None:
        salt = ctx.random.token(SALT_BYTES)
        personal = wire.encode(submission.personal)
    header = _changed(
        given,
        issuer=given.issuer or own,
        usage=usage,
        issued_at=given.issued_at or ctx.now(),
        personal_sha256=link.personal_hash(salt, personal) if personal else b"",
    )
    document = with_header(submission.document, header)
    return _Outgoing(submission, document, identity_of(document), salt, personal)


def with_header(document: Document, header: DocumentHeader) -> Document:
    """The same document with another header."""
    return _changed(document, header=header)


def _changed(value: Value, **fields: Any) -> Value:
    """As `dataclasses.replace` for our sparse values, at a tenth of its time: twice for each document (measured)."""
    made = object.__new__(type(value))
    made.__dict__.update(value.__dict__, **fields)
    return made


def _check(ctx: Context, partner: PartnerRow, own: str, outgoing: list[_Outgoing]) -> None:
    """Refuse here what the partner would refuse, and what it does not take at all."""
    said: dict[str, Any] = json.loads(partner.last_hello) if partner.last_hello else {}
    accepts = said.get("accepts")
    understands = frozenset(said.get("understands", UNDERSTANDS))
    now = ctx.now()
    for one in outgoing:
        kind = document_type(one.document)
        if accepts is not None and kind not in accepts:
            text = f"{partner.name or partner.partner_id} does not take documents of type {kind}"
            one.refuse(Finding("not-accepted", "", text))
            continue
        found = validation.findings(
            one.document,
            sender=own,
            receiver=partner.partner_id,
            # To ourselves, an order goes on in the usage in which it was placed.
            usage=partner.usage if partner.state != "self" else header_of(one.document).usage.value,
            now=now,
            understands=understands,
        )
        if found:
            one.refuse(*found)


def _identify(tx: Transaction, ctx: Context, partner: PartnerRow, outgoing: list[_Outgoing]) -> None:
    """Find what was submitted before under the same number."""
    wanted = [one.identity for one in outgoing if one.state == "waiting"]
    known = tx.documents.find(partner.partner_id, "out", wanted) if wanted else {}
    earlier: dict[Identity, _Outgoing] = {}
    for one in outgoing:
        if one.state != "waiting":
            continue
        while one.state == "waiting" and (one.identity in known or one.identity in earlier):
            row, first = known.get(one.identity), earlier.get(one.identity)
            following = one.identity._replace(revision=one.identity.revision + 1)
            if one.identity.type in REVISABLE:
                known.update(tx.documents.find(partner.partner_id, "out", [following]))
            # What was edited and is as before again is a change once more; where the ERP counts revisions itself, not.
            edited = _revised_here(known.get(following), earlier.get(following))
            if _same(one, row, first) and not edited:
                one.state = "duplicate"
                one.document_id = row.document_id if row else first.document_id if first else 0
            else:
                _revise(one)
        if one.state == "waiting":
            earlier[one.identity] = one


def _check_room(tx: Transaction, ctx: Context, partner: PartnerRow, next_id: int, count: int) -> None:
    """Raise RefusedError when `count` more documents, whose ids begin at `next_id`, are too many to wait for a partner.

    Each has an id of its own, so no more wait than there are ids since the first of them. Only where that does not
    decide are they counted, and it is kept up to which id there is room for certain.
    """
    most = ctx.settings.limits.waiting_documents
    oldest = tx.documents.first_waiting(partner.partner_id) if count else None
    if count == 0 or (oldest is None and count <= most) or (oldest is not None and next_id - oldest + count <= most):
        return
    place = f"room {partner.partner_id}"
    limit, _, until = (tx.settings.get(place) or "0 0").partition(" ")
    if int(limit) == most and next_id + count <= int(until):
        return
    waiting = tx.documents.count_waiting(partner.partner_id, most)
    if waiting + count > most:
        name = partner.name or partner.partner_id
        raise RefusedError(
            f"with {count} more, over {most} documents would wait for {name}",
            code="too-many-waiting",
            hint="Submit again when the partner has taken some: `hansa status` shows whether it is connected. "
            "Or raise limits.waiting_documents.",
        )
    tx.settings.put(place, f"{most} {next_id + most - waiting}")


def _revised_here(row: DocumentRow | None, first: _Outgoing | None) -> bool:
    """Whether this revision was numbered by `_revise`, because the ERP gave other content under the same number."""
    if first is not None:
        header = header_of(first.document)
    elif row is not None and row.body is not None:
        header = header_of(wire.decode_document(row.type, row.body))
    else:
        return False
    return header.supersedes == header.number


def _same(one: _Outgoing, row: DocumentRow | None, first: _Outgoing | None) -> bool:
    """Whether this says what was submitted before, in the document and in the personal data beside it.

    The data itself is compared: its hash is salted anew each time. What is erased cannot be told apart any more.
    """
    personal: bytes | None
    if first is not None:
        before, personal = first.document, first.personal
    elif row is not None and row.body is not None:
        before, personal = wire.decode_document(row.type, row.body), row.personal
    else:
        return True
    if personal is not None and personal != one.personal:
        return False
    before = _as_given(_without_personal(before), one.submission.document)
    return same_content(_without_personal(one.document), row.type if row else one.identity.type, wire.encode(before))


def _as_given(before: Document, given: Document) -> Document:
    """What was sent, with the reference to the order as the ERP gives it: we complete it when we submit."""
    changes: dict[str, Any] = {}
    if getattr(given, "order", None) is not None:
        changes["order"] = given.order  # type: ignore[union-attr]
    if isinstance(given, OrderChange | OrderCancellation):
        changes["order_revision"] = given.order_revision
    return replace(before, **changes)


def _without_personal(document: Document) -> Document:
    return with_header(document, replace(header_of(document), personal_sha256=b""))


def _revise(one: _Outgoing) -> None:
    """Other content under the same number: the next revision, or a refusal where a number is a legal original's."""
    identity = one.identity
    if identity.type not in REVISABLE:
        text = (
            f"{identity.type} {identity.number} was sent before with other content; "
            "a correction needs a number of its own that refers to it"
        )
        one.refuse(Finding("same-number-other-content", "header.number", text))
        return
    header = header_of(one.document)
    one.document = with_header(one.document, replace(header, revision=header.revision + 1, supersedes=header.number))
    one.identity = identity._replace(revision=identity.revision + 1)


def _apply(tx: Transaction, ctx: Context, partner: PartnerRow, outgoing: list[_Outgoing]) -> None:
    standing = [one for one in outgoing if one.state == "waiting"]
    book = orders.book_for(tx, ctx, partner, [one.document for one in standing])
    own = tx.partners.own().partner_id
    new_order_id = orders.order_ids(tx, [one.document for one in standing])
    at = ctx.now_micros()
    for one in standing:
        buyer = partner.partner_id if isinstance(one.document, OrderResponse) else own
        one.document = order_book.completed(one.document, book, buyer=buyer)
        if findings := order_book.submit_findings(one.document, book):
            one.refuse(*findings)
            continue
        one.body = wire.encode(one.document)
        if len(one.body) + len(one.personal) > wire.DOCUMENT_BYTES_MAX:
            # It would fill a frame and more, and nothing behind it could ever go.
            text = f"{len(one.body) + len(one.personal)} bytes; at most {wire.DOCUMENT_BYTES_MAX} can be sent"
            one.refuse(Finding("too-large", "", text))
            continue
        one.effects = order_book.apply(
            one.document,
            partner_id=partner.partner_id,
            we_are_sender=partner.state != "self" or internal.we_say(one.document),
            document_id=one.document_id,
            at=at,
            book=book,
            new_order_id=new_order_id,
        )
        if one.effects.refuse or one.effects.hold:
            one.refuse(*one.effects.findings)
        else:
            one.findings = one.effects.findings
    orders.write(tx, order_book.merge(one.effects for one in standing if one.effects is not None))
    applied = [
        (one.document_id, one.document, one.effects)
        for one in standing
        if one.state == "waiting" and one.effects is not None
    ]
    performance.felt(tx, partner.partner_id, book, applied, at)


def _row(ctx: Context, own: str, partner: PartnerRow, one: _Outgoing, at: int) -> DocumentRow:
    salt = ctx.random.token(SALT_BYTES)
    identity = one.identity
    header = header_of(one.document)
    return DocumentRow(
        document_id=one.document_id,
        partner_id=partner.partner_id,
        direction="out",
        epoch=None,
        number=None,
        type=identity.type,
        issuer=identity.issuer,
        unit=identity.unit,
        doc_number=identity.number,
        series=identity.series,
        revision=identity.revision,
        usage=header.usage.value,
        state="waiting",
        duplicate_of=None,
        priority=priority_of(identity.type),
        object_key=object_key_of(one.document, sender=own, receiver=partner.partner_id),
        salt=salt,
        body=one.body,
        personal_salt=one.personal_salt,
        personal=one.personal,
        leaf=link.leaf_of(salt, identity.type, one.body),
        reasons="",
        stored_at=at,
        valid_until=wire.micros(header.valid_until) if header.valid_until else None,
    )


def withdraw(tx: Transaction, ctx: Context, document_id: int) -> DocumentRow:
    """Take back a document that has no number yet; its effects here are undone. Raises RefusedError."""
    row = tx.documents.get(document_id)
    if row is None or row.direction != "out":
        raise RefusedError(f"document {document_id} is none of ours", code="unknown-document")
    if row.state != "waiting":
        raise RefusedError(
            f"{row.type} {row.doc_number} has link number {row.number} and is {row.state}; it cannot be withdrawn",
            code="too-late",
            hint="Send a change or a cancellation: `hansa order cancel`." if row.type == "Order" else "",
        )
    tx.documents.set_outcomes([("withdrawn", "", document_id)])
    orders.undo_refused(tx, ctx, row.partner_id, [row])
    notices.notice_rows(tx, ctx, [row])
    return row._replace(state="withdrawn")
