"""What received documents do: each passes the gate, is checked, and has its effects; a batch is written as one.

The core decides and returns rows; here the batch's state is read once before and its rows are written once after. Only
when a batch fails as a whole is it taken document by document, each in a savepoint, and the one at fault is held: its
bytes are kept, a human decides, and what follows on the same business object waits behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from node import wire
from node.app.context import Context
from node.app.documents import consequences, orders, terms
from node.app.documents.identity import UNDERSTANDS, identity_of, object_key_of, same_content
from node.app.fulfilment import taking_over
from node.app.links import partners
from node.app.links.outbox import priority_of
from node.app.links.outcomes import reasons_text
from node.app.stock import inventory, performance
from node.core import link, order_book, validation
from node.core.document import DOCUMENTS, Document, document_key, header_of
from node.core.document.common import Reason, Usage
from node.core.document.order import Order
from node.core.finding import Finding
from node.core.rows import DocumentRow, HandoverRow, LinkRow, PartnerRow
from node.errors import ConfigError, RefusedError, UnavailableError
from node.ports import Identity, Transaction

__all__ = [
    "Entry",
    "Result",
    "resolve",
    "take",
]

_OTHER_CONTENT = "same-number-other-content"

REASONS_MAX = 20
"""Reasons that one outcome names at most; the first ones are enough to mend the document."""


class Entry(NamedTuple):
    """A new document of a batch, with its number and leaf."""

    number: int
    entry: link.BatchEntry
    leaf: bytes


@dataclass(slots=True)
class Result:
    """What came of a batch."""

    outcomes: list[link.DocumentOutcome] = field(default_factory=list)
    handed_over: bool = False
    wake: set[str] = field(default_factory=set)
    cards_changed: bool = False


@dataclass(slots=True)
class _Arrival:
    """One document on its way through the steps; `reasons` and `state` say what became of it."""

    entry: Entry
    document_id: int
    document: Document | None = None
    identity: Identity | None = None
    object_key: str = ""
    state: str = "taken"
    reasons: list[Reason] = field(default_factory=list)
    duplicate_of: int | None = None
    usage: str = "TEST"
    valid_until: int | None = None
    stock: inventory.StockReport | None = None
    effects: order_book.Effects | None = None

    def refuse(self, findings: Sequence[Finding]) -> None:
        self.state = "refused"
        self.reasons = _reasons(findings)

    def hold(self, reasons: list[Reason]) -> None:
        self.state = "held"
        self.reasons = reasons


def take(tx: Transaction, ctx: Context, partner_id: str, incoming: LinkRow, entries: list[Entry]) -> Result:
    """Take the documents of a verified batch. Never raises for what a document contains."""
    try:
        with tx.savepoint():
            return _take_together(tx, ctx, partner_id, incoming, entries)
    except (UnavailableError, ConfigError):
        raise
    except Exception:
        ctx.log.exception("a batch failed and is taken document by document", extra={"partner": partner_id})
    result = Result()
    for entry in entries:
        try:
            with tx.savepoint():
                one = _take_together(tx, ctx, partner_id, incoming, [entry])
        except (UnavailableError, ConfigError):
            raise
        except Exception as error:
            ctx.log.exception("a document failed and is held", extra={"partner": partner_id, "number": entry.number})
            one = _hold_failed(tx, ctx, partner_id, incoming, entry, error)
        result.outcomes += one.outcomes
        result.handed_over |= one.handed_over
        result.wake |= one.wake
        result.cards_changed |= one.cards_changed
    return result


def _take_together(tx: Transaction, ctx: Context, partner_id: str, incoming: LinkRow, entries: list[Entry]) -> Result:
    own = tx.partners.own().partner_id
    first_id = tx.documents.next_ids(len(entries))
    arrivals = [_read(own, partner_id, entry, first_id + i) for i, entry in enumerate(entries)]
    result = Result()
    for arrival in arrivals:
        if arrival.entry.entry.type in partners.PROTOCOL_TYPES:
            _take_protocol(tx, ctx, partner_id, arrival, result)
    partner = tx.partners.get(partner_id)
    assert partner is not None
    _check(tx, ctx, partner, arrivals)
    _apply(tx, ctx, partner, arrivals)
    _write(tx, ctx, partner_id, incoming, arrivals, result)
    return result


def _read(own: str, partner_id: str, entry: Entry, document_id: int) -> _Arrival:
    """Through the gate: bytes to a document with its identity, or a refusal with the path of what is wrong."""
    arrival = _Arrival(entry, document_id)
    wired = entry.entry
    if wired.type in partners.PROTOCOL_TYPES:
        arrival.object_key, arrival.usage = wired.type, "PRODUCTION"
        return arrival
    try:
        if wired.type == "InventoryReport":
            arrival.stock = inventory.read_report(wired.body, partner_id, own)
            arrival.document = arrival.stock.report
        else:
            arrival.document = wire.decode_document(wired.type, wired.body)
    except wire.InvalidFieldsError as error:
        arrival.refuse(error.findings)
        return arrival
    if finding := _unstorable(arrival.document, arrival.stock, wired.body):
        arrival.refuse([finding])
        return arrival
    header = header_of(arrival.document)
    arrival.identity = identity_of(arrival.document)
    arrival.object_key = object_key_of(arrival.document, sender=partner_id, receiver=own)
    arrival.usage = header.usage.value if header.usage != Usage.UNSPECIFIED else "TEST"
    arrival.valid_until = wire.micros(header.valid_until) if header.valid_until else None
    named = link.personal_hash(wired.personal_salt, wired.personal) if wired.personal else b""
    if header.personal_sha256 != named:
        text = "the personal data beside the document is not what the document names by its hash"
        arrival.refuse([Finding("personal-data", "header.personal_sha256", text)])
    return arrival


def _unstorable(document: Document, stock: inventory.StockReport | None, body: bytes) -> Finding | None:
    """Why no database could keep a document's texts: PostgreSQL takes no NUL, and nobody means one."""
    if b"\x00" not in body:
        return None
    if "\\u0000" in json.dumps(wire.to_fields(document)) or (stock and "\\u0000" in json.dumps(stock.rows)):
        return Finding("text", "", "a text with a NUL character in it")
    return None


def _take_protocol(tx: Transaction, ctx: Context, partner_id: str, arrival: _Arrival, result: Result) -> None:
    wired = arrival.entry.entry
    reasons = partners.take_protocol(tx, ctx, partner_id, wired.type, wired.body, arrival.entry.number)
    if reasons:
        arrival.state, arrival.reasons = "refused", list(reasons)
    else:
        result.cards_changed = True


def _check(tx: Transaction, ctx: Context, partner: PartnerRow, arrivals: list[_Arrival]) -> None:
    """May this partner send this, is it sound, have we got it, and does it wait behind a held one?"""
    own, sender = tx.partners.own().partner_id, partner.partner_id
    now = ctx.now()
    held = tx.documents.held_objects(partner.partner_id)
    wanted = [one.identity for one in arrivals if one.identity is not None and one.state == "taken"]
    known = tx.documents.find(partner.partner_id, "in", wanted) if wanted else {}
    earlier: dict[Identity, _Arrival] = {}
    credit = terms.Credit(tx, ctx, partner.partner_id)
    for one in arrivals:
        if one.document is None or one.identity is None or one.state != "taken":
            continue
        if partner.state != "confirmed":
            text = "the cards are not confirmed by both sides yet; compare fingerprints and confirm"
            one.refuse([Finding("not-confirmed", "", text)])
            continue
        findings = validation.findings(
            one.document,
            sender=partner.partner_id,
            receiver=own,
            usage=partner.usage,
            now=now,
            understands=UNDERSTANDS,
        )
        findings = [*findings, *(one.stock.findings if one.stock else consequences.doubts(tx, sender, one.document))]
        if findings:
            one.refuse(findings)
        elif one.identity in known:
            _compare(one, known[one.identity])
        elif one.identity in earlier:
            _compare_arrivals(one, earlier[one.identity])
        if isinstance(one.document, Order) and one.state == "taken" and one.duplicate_of is None:
            _check_terms(ctx, partner.partner_id, credit, one, one.document)
        if one.state == "taken" and one.duplicate_of is None and one.object_key in held:
            one.hold([Reason(code="waits-behind", text="an earlier document on the same business object is held")])
        if one.state == "held":
            held.add(one.object_key)
        if one.state == "taken" and one.duplicate_of is None:
            earlier[one.identity] = one


def _check_terms(ctx: Context, partner_id: str, credit: terms.Credit, one: _Arrival, order: Order) -> None:
    if finding := terms.minimum_finding(ctx, partner_id, order):
        one.refuse([finding])
    elif reason := credit.reason(order):
        one.hold([reason])


def _compare(one: _Arrival, known: DocumentRow) -> None:
    """Same identity: the same content has no second effect, other content waits for a human."""
    assert one.document is not None
    if known.body is None or same_content(one.document, known.type, known.body):
        one.duplicate_of = known.document_id
    else:
        one.hold([_other_content(one.document)])


def _compare_arrivals(one: _Arrival, first: _Arrival) -> None:
    assert one.document is not None
    if same_content(one.document, first.entry.entry.type, first.entry.entry.body):
        one.duplicate_of = first.document_id
    else:
        one.hold([_other_content(one.document)])


def _other_content(document: Document) -> Reason:
    key = document_key(document)
    text = (
        f"{key.type} {key.number} revision {key.revision} came before with other content; a correction needs a new "
        "revision. Held until a human decides"
    )
    return Reason(code=_OTHER_CONTENT, text=text, language="en")


def _apply(tx: Transaction, ctx: Context, partner: PartnerRow, arrivals: list[_Arrival]) -> None:
    """The effects on orders, in the order of the link; what the book refuses or holds changes nothing."""
    standing = [
        one for one in arrivals if one.state == "taken" and one.duplicate_of is None and one.document is not None
    ]
    moving = [one for one in standing if one.stock is None]
    if not moving:
        return
    documents = [one.document for one in moving if one.document is not None]
    book = orders.book_for(tx, ctx, partner, documents)
    new_order_id = orders.order_ids(tx, documents)
    at = ctx.now_micros()
    held: set[str] = set()
    for one in moving:
        assert one.document is not None
        if one.object_key in held:
            one.hold([Reason(code="waits-behind", text="an earlier document on the same business object is held")])
            continue
        one.effects = order_book.apply(
            one.document,
            partner_id=partner.partner_id,
            we_are_sender=False,
            document_id=one.document_id,
            at=at,
            book=book,
            new_order_id=new_order_id,
        )
        if one.effects.refuse:
            one.refuse(one.effects.findings)
        elif one.effects.hold:
            one.hold(_reasons(one.effects.findings))
            held.add(one.object_key)
        elif one.effects.findings:
            one.reasons = _reasons(one.effects.findings)
    orders.write(tx, order_book.merge(one.effects for one in moving if one.effects is not None))
    performance.felt(tx, partner.partner_id, book, _applied(one for one in moving if one.state == "taken"), at)


def _write(
    tx: Transaction,
    ctx: Context,
    partner_id: str,
    incoming: LinkRow,
    arrivals: list[_Arrival],
    result: Result,
) -> None:
    """One write for each table: documents, stock, what goes on to the ERP, and what follows at other partners."""
    now = ctx.now_micros()
    tx.documents.add([_row(partner_id, incoming, one, now) for one in arrivals])
    handovers = [
        HandoverRow(one.document_id, one.entry.entry.type, "waiting", 0, now, "", "", None)
        for one in arrivals
        if one.state == "taken" and one.duplicate_of is None and _goes_to_erp(ctx, partner_id, one)
    ]
    if handovers:
        tx.handovers.add(handovers)
        result.handed_over = True
    standing = [one for one in arrivals if one.state == "taken" and one.duplicate_of is None]
    for one in standing:
        if one.stock is not None:
            inventory.take_report(tx, ctx, partner_id, one.stock)
    documents = [one.document for one in standing if one.document is not None and one.stock is None]
    result.wake |= consequences.move_stock(tx, ctx, partner_id, documents)
    if terms.query_by_terms(tx, ctx, partner_id, _applied(standing)):
        result.wake.add(partner_id)
    _tell_process(tx, ctx, partner_id, standing)
    result.outcomes = [
        link.DocumentOutcome(
            number=one.entry.number,
            outcome=link.Outcome[one.state.upper()],
            reasons=tuple(one.reasons),
        )
        for one in arrivals
        if one.state != "taken" or one.reasons
    ]


def _goes_to_erp(ctx: Context, partner_id: str, one: _Arrival) -> bool:
    """Whether a system of ours takes this; test documents reach only systems that are there for tests."""
    kind, usage = one.entry.entry.type, one.usage.lower()
    if one.document is not None and taking_over.orchestrates(ctx, partner_id, one.document):
        return False
    return any(kind in adapter.documents and usage == adapter.usage for adapter in ctx.settings.adapters)


def _row(partner_id: str, incoming: LinkRow, one: _Arrival, now: int) -> DocumentRow:
    wired = one.entry.entry
    identity = one.identity or Identity(partner_id, "", wired.type, "", "", 0, one.usage)
    known = wired.type in DOCUMENTS or wired.type in partners.PROTOCOL_TYPES or wired.type.isidentifier()
    return DocumentRow(
        document_id=one.document_id,
        partner_id=partner_id,
        direction="in",
        epoch=incoming.epoch,
        number=one.entry.number,
        type=wired.type if known else "unknown",
        issuer=identity.issuer,
        unit=identity.unit,
        doc_number=identity.number or str(one.entry.number),
        series=identity.series,
        revision=identity.revision,
        usage=one.usage,
        state=one.state,
        duplicate_of=one.duplicate_of,
        priority=priority_of(wired.type),
        object_key=one.object_key,
        salt=wired.salt if known else b"",  # without its type the leaf alone proves it
        body=wired.body,
        personal_salt=wired.personal_salt,
        personal=wired.personal,
        leaf=one.entry.leaf,
        reasons=reasons_text(one.reasons),
        stored_at=now,
        valid_until=one.valid_until,
    )


def _hold_failed(
    tx: Transaction, ctx: Context, partner_id: str, incoming: LinkRow, entry: Entry, error: Exception
) -> Result:
    """Our own fault: keep the bytes, let the link go on, and ask a human."""
    arrival = _read(tx.partners.own().partner_id, partner_id, entry, tx.documents.next_ids(1))
    text = f"our node could not process this document ({type(error).__name__}); a human looks at it"
    arrival.hold([Reason(code="internal", text=text, language="en")])
    result = Result()
    _write(tx, ctx, partner_id, incoming, [arrival], result)
    return result


def resolve(tx: Transaction, ctx: Context, row: DocumentRow, *, take: bool, reason: str) -> Result:
    """A held document takes effect after all, or is refused; documents that wait behind it are tried again."""
    incoming = tx.links.get(row.partner_id, "in")
    partner = tx.partners.get(row.partner_id)
    assert incoming is not None
    assert partner is not None
    own = tx.partners.own().partner_id
    result = Result()
    behind = [one for one in _held_of(tx, row) if one.document_id > row.document_id]
    arrival = _again(own, row)
    if not take:
        arrival.refuse([Finding("refused-by-hand", "", reason or "a human refused it")])
    _try_again(tx, ctx, partner, arrival, result)
    if take and arrival.state == "held" and any(one.code == _OTHER_CONTENT for one in arrival.reasons):
        raise RefusedError(
            f"another {row.type} {row.doc_number} of revision {row.revision} stands already",
            code=_OTHER_CONTENT,
            hint="Refuse this one, and ask its sender for a new revision.",
        )
    resolved = [arrival]
    if arrival.state != "held":
        for waiting in behind:
            if '"waits-behind"' not in waiting.reasons:
                break
            following = _again(own, waiting)
            _try_again(tx, ctx, partner, following, result)
            resolved.append(following)
            if following.state == "held":
                break
    _write_resolved(tx, ctx, row.partner_id, resolved, result)
    return result


def _try_again(tx: Transaction, ctx: Context, partner: PartnerRow, one: _Arrival, result: Result) -> None:
    """The effects of a document that was held, unless meanwhile another one stands under its number."""
    if one.state == "taken" and one.entry.entry.type in partners.PROTOCOL_TYPES:
        _take_protocol(tx, ctx, partner.partner_id, one, result)
    if one.state == "taken" and one.stock is not None:
        raise RefusedError(
            "stock figures are not taken late, when newer ones may have come",
            code="too-late",
            hint="Refuse them; the partner's next figures replace them.",
        )
    if one.state == "taken" and one.identity is not None:
        known = tx.documents.find(partner.partner_id, "in", [one.identity])
        if one.identity in known:
            _compare(one, known[one.identity])
    if one.state == "taken":
        _apply(tx, ctx, partner, [one])
    if one.duplicate_of is not None:
        tx.documents.set_duplicate(one.document_id, one.duplicate_of)
    tx.documents.set_outcomes([(one.state, reasons_text(one.reasons), one.document_id)])


def _held_of(tx: Transaction, row: DocumentRow) -> list[DocumentRow]:
    rows = tx.documents.search(partner_id=row.partner_id, direction="in", state="held", limit=10_000)
    return sorted((one for one in rows if one.object_key == row.object_key), key=lambda one: one.document_id)


def _again(own: str, row: DocumentRow) -> _Arrival:
    entry = link.BatchEntry(
        type=row.type,
        salt=row.salt,
        body=row.body or b"",
        personal_salt=row.personal_salt,
        personal=row.personal or b"",
    )
    return _read(own, row.partner_id, Entry(row.number or 0, entry, row.leaf), row.document_id)


def _write_resolved(tx: Transaction, ctx: Context, partner_id: str, arrivals: list[_Arrival], result: Result) -> None:
    now = ctx.now_micros()
    taken = [one for one in arrivals if one.state == "taken" and one.duplicate_of is None]
    handovers = [
        HandoverRow(one.document_id, one.entry.entry.type, "waiting", 0, now, "", "", None)
        for one in taken
        if _goes_to_erp(ctx, partner_id, one)
    ]
    if handovers:
        tx.handovers.add(handovers)
        result.handed_over = True
    documents = [one.document for one in taken if one.document is not None and one.stock is None]
    result.wake |= consequences.move_stock(tx, ctx, partner_id, documents)
    if terms.query_by_terms(tx, ctx, partner_id, _applied(taken)):
        result.wake.add(partner_id)
    _tell_process(tx, ctx, partner_id, taken)
    result.outcomes = [
        link.DocumentOutcome(
            number=one.entry.number, outcome=link.Outcome[one.state.upper()], reasons=tuple(one.reasons)
        )
        for one in arrivals
    ]


def _tell_process(tx: Transaction, ctx: Context, partner_id: str, arrivals: Sequence[_Arrival]) -> None:
    taken = [(one.document_id, one.document, one.entry.entry.personal) for one in arrivals if one.document is not None]
    keys = {row.item_key for one in arrivals if one.stock is not None for row in one.stock.rows}
    consequences.tell_process(tx, ctx, partner_id, taken, keys)


def _applied(arrivals: Iterable[_Arrival]) -> list[tuple[int, Document, order_book.Effects]]:
    """What was taken and changed the book."""
    return [
        (one.document_id, one.document, one.effects)
        for one in arrivals
        if one.document is not None and one.effects is not None
    ]


def _reasons(findings: Sequence[Finding]) -> list[Reason]:
    return [
        Reason(code=one.rule, text=f"{one.path}: {one.text}" if one.path else one.text, language="en")
        for one in findings[:REASONS_MAX]
    ]
