"""Effects of the documents that follow an order: despatch, receiving, returns, invoice and credit note.

Which finding has which outcome, and why effects commute, is told in `node.core.order_book`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, Package, ReferenceKind
from node.core.document.fulfilment import (
    AdviceStatus,
    DespatchAdvice,
    ReceivingAdvice,
    ReceivingLine,
    ReturnAnnouncement,
    ReturnReceipt,
)
from node.core.document.invoice import CreditNote, Invoice
from node.core.order_effects import named_order
from node.core.order_state import (
    ARRIVALS,
    Held,
    OrderState,
    Refused,
    Step,
    confirmation_of,
    reason_text,
    reference_of,
    scaled_in,
)
from node.core.quantity import Quantity
from node.core.rows import LineEventRow, OrderLineRow
from node.core.tolerance import exceeds
from node.errors import RefusedError

__all__ = [
    "ANNOUNCED",
    "EARLY",
    "Moved",
    "credit",
    "despatch",
    "invoice",
    "order_named_in_header",
    "receive",
    "record",
    "return_announced",
    "return_received",
    "scaled_of",
]

ANNOUNCED = "announced"
"""How the detail of a ``returned`` event begins while the goods are only announced."""

EARLY = "before its despatch"
"""How the detail of a carrier's word begins, of quantity 0, while the despatch that it is about is not known; what
follows names its packages. The despatch gives it its quantities, so that both orders of the two come to the same."""

_DESPATCHED = frozenset({"despatched"})
_PREPAYMENT = "386"
_CORRECTED_INVOICE = "384"
_CREDIT_TYPE = "381"
_SELF_BILLED = frozenset({"389", "261"})


class Moved(NamedTuple):
    """One thing that a document says about one order line."""

    state: OrderState
    line: OrderLineRow
    event: str
    quantity: int
    schedule_id: str
    detail: str
    path: str
    standing: int = 1


def order_named_in_header(header: DocumentHeader | None) -> DocumentKey | None:
    """The one order that a document's header refers to, for documents that name it nowhere else."""
    named = [r.document for r in header.references if r.kind is ReferenceKind.ORDER and r.document] if header else []
    return named[0] if len(named) == 1 else None


def _find(
    step: Step, key: DocumentKey | None, line_id: str, item: ItemRef | None, path: str
) -> tuple[OrderState, OrderLineRow] | None:
    """The order line that is meant, or None where no order is named."""
    if key is None:
        return None
    state = named_order(step, key, f"{path}.order")
    line = state.lines.get(line_id)
    if line is None and not line_id and item is not None:
        line = state.line_of_item(item)
    if line is None:
        named = repr(line_id) if line_id else "without a number, whose item is on no line or on several"
        raise Refused("unknown-line", f"{path}.order_line_id", f"order {state.order.number} has no line {named}")
    return state, line


def scaled_of(quantity: Quantity | None, line: OrderLineRow, path: str) -> int:
    """A quantity in a line's unit, 0 for none. Raises Refused where it does not convert exactly."""
    if quantity is None:
        return 0
    try:
        return scaled_in(quantity, line.unit)
    except RefusedError as error:
        raise Refused(error.code, path, f"{error.message}; the line orders {line.unit}") from error


def _sent_by(step: Step, state: OrderState, role: str) -> None:
    """Refuse what the other party of the order should have sent; a return order is the wrong way round."""
    if state.order.kind == "RETURN":
        role = "buyer" if role == "seller" else "seller"
    if (state.order.role == role) != step.we_are_sender:
        raise Refused("wrong-role", "header.issuer", f"for order {state.order.number} the {role} sends this")


def _begin(step: Step, document: Any, kinds: frozenset[str], corrects: bool, *also: str) -> list[OrderState] | None:
    """The orders that a document touches, after taking away what earlier documents of its number (or of the numbers
    in `also`) said; None when it was applied before.

    A correction is looked for on every order in the book, because it may name fewer orders than it corrects.
    """
    named = _named_states(step, document)
    if any(step.document_id in state.documents for state in (step.book.by_id.values() if corrects else named)):
        return None
    reference = reference_of(document.header or DocumentHeader())
    references = (reference, *also)
    touched = {state.order.order_id: state for state in named}
    for state in list(step.book.by_id.values()) if corrects or also else named:
        gone = {e.document_id for e in state.events if e.standing and e.reference in references and e.event in kinds}
        if not gone:
            continue
        if not corrects and not also:
            text = f"{reference} is known with other values; a higher revision was expected"
            raise Held("other-content", "header.revision", text)
        touched[state.order.order_id] = state
        step.effects.replace_where(state, lambda e, gone=gone: e.document_id in gone)  # type: ignore[misc]
    return list(touched.values())


def _named_states(step: Step, document: Any) -> list[OrderState]:
    """The orders in the book that a document names, each once."""
    keys = {id(line.order): line.order for line in document.lines if getattr(line, "order", None) is not None}
    whole = document.order or order_named_in_header(document.header)
    if whole is not None:
        keys[id(whole)] = whole
    seen: dict[int, OrderState] = {}
    for key in keys.values():
        state = named_order(step, key, "order")
        seen[state.order.order_id] = state
    return list(seen.values())


def record(step: Step, touched: list[OrderState], event: str, pieces: list[Moved], on: str | None) -> None:
    """Write the pieces down. An order of which nothing is said gets an event of quantity 0, by which a second delivery
    of the same document is known to be one, and people see that something was taken back."""
    reference = reference_of(step.header)
    spoken_of = {piece.state.order.order_id for piece in pieces}
    for state in touched:
        if state.order.order_id not in spoken_of and state.lines:
            pieces.append(Moved(state, next(iter(state.lines.values())), event, 0, "", "nothing", ""))
    step.effects.events.extend(
        LineEventRow(
            piece.state.order.order_id,
            piece.line.line_id,
            step.document_id,
            piece.schedule_id,
            piece.event,
            piece.quantity,
            piece.line.unit,
            on,
            reference,
            piece.detail,
            step.at,
            piece.standing,
        )
        for piece in pieces
    )


def _over(step: Step, pieces: list[Moved], kinds: frozenset[str], rule: str) -> None:
    """Remark on lines of which more than ordered has now been despatched, received or invoiced."""
    tolerance = step.book.tolerances.quantity_over
    gone = frozenset(document for _, documents in step.effects.supersede for document in documents)
    sums: dict[int, dict[str, int]] = {}
    for piece in pieces:
        if piece.event not in kinds or not piece.quantity:
            continue
        order, line_id = piece.state.order, piece.line.line_id
        of_order = sums.get(order.order_id)
        if of_order is None:
            of_order = sums[order.order_id] = piece.state.totals(kinds, gone)
        total = of_order[line_id] = of_order.get(line_id, 0) + piece.quantity
        if total > piece.line.quantity and exceeds(total, piece.line.quantity, tolerance):
            step.remark(rule, piece.path, f"line {line_id} of order {order.number} orders less")


def despatch(step: Step, document: DespatchAdvice) -> None:
    """Goods are on their way, by line and, where the advice tells them apart, by package."""
    header = step.header
    cancelled = document.status is AdviceStatus.CANCELLED
    corrects = cancelled or document.status is AdviceStatus.CORRECTED or header.revision > 0
    touched = _begin(step, document, _DESPATCHED, corrects)
    if touched is None:
        return
    whole = document.order or order_named_in_header(header)
    tracking = document.carriage.tracking if document.carriage else ""
    packed = _packed(document.packages)
    pieces: list[Moved] = []
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        found = _find(step, line.order or whole, line.order_line_id, line.item, path)
        if found is None:
            continue
        _sent_by(step, found[0], "seller")
        quantity = 0 if cancelled else scaled_of(line.quantity, found[1], f"{path}.quantity")
        inside = packed.get(line.line_id)
        parts = _parts(quantity, found[1], inside, tracking) if inside else [(quantity, tracking)]
        for part, detail in parts:
            pieces.append(Moved(*found, "despatched", part, line.schedule_id, detail, path))
    pieces += _told_before(pieces, reference_of(header))
    on = document.despatched_at.date().isoformat() if document.despatched_at else None
    record(step, touched, "despatched", pieces, on)
    _over(step, pieces, _DESPATCHED, "over-despatched")
    _unconfirmed(step, pieces)


def _told_before(pieces: list[Moved], reference: str) -> list[Moved]:
    """What the carrier has said of these goods already."""
    found = []
    for piece in pieces:
        own = set(piece.detail.split())
        for e in piece.state.events:
            if not e.standing or e.quantity or not e.detail.startswith(EARLY) or e.schedule_id not in ("", reference):
                continue
            named = set(e.detail.removeprefix(EARLY).split())
            if piece.quantity and (not named or not own or named & own):
                found.append(piece._replace(event=e.event, schedule_id=reference))
                break
    return found


def _unconfirmed(step: Step, pieces: list[Moved]) -> None:
    """Remark on lines that are despatched while the buyer has still to confirm what the answer changed."""
    told: set[tuple[int, str]] = set()
    for piece in pieces:
        line_id, events = piece.line.line_id, piece.state.events
        place = (piece.state.order.order_id, line_id)
        if place in told or not any(e.event == "confirmation_due" and e.standing for e in events):
            continue
        told.add(place)
        if confirmation_of(e for e in events if e.standing and e.line_id == line_id) in ("due", "refused"):
            step.remark("unconfirmed", piece.path, f"the buyer has not confirmed the changes of line {line_id}")


def _packed(packages: tuple[Package, ...]) -> dict[str, list[tuple[Quantity | None, str]]]:
    """Which packages hold each despatch line: (quantity, its tracking number and SSCC)."""
    held: dict[str, list[tuple[Quantity | None, str]]] = {}
    for package in packages:
        name = f"{package.tracking} {package.sscc}".strip()
        for content in package.contents:
            held.setdefault(content.line_id, []).append((content.quantity, name))
    return held


def _parts(
    quantity: int, row: OrderLineRow, packed: Iterable[tuple[Quantity | None, str]], tracking: str
) -> list[tuple[int, str]]:
    """A despatch line split over its packages; what no package accounts for goes under the whole tracking number."""
    parts: list[tuple[int, str]] = []
    left = quantity
    for content, name in packed:
        part = min(left, scaled_of(content, row, "packages") if content else left)
        if part > 0:
            parts.append((part, name if tracking in name.split() else f"{tracking} {name}".strip()))
            left -= part
    if left or not parts:
        parts.append((left, tracking))
    return parts


def receive(step: Step, document: ReceivingAdvice) -> None:
    """Goods have arrived: accepted, short, over, damaged or wrong."""
    header = step.header
    cancelled = document.status is AdviceStatus.CANCELLED
    corrects = cancelled or document.status is AdviceStatus.CORRECTED or header.revision > 0
    touched = _begin(step, document, ARRIVALS, corrects)
    if touched is None:
        return
    whole = document.order or order_named_in_header(header)
    pieces: list[Moved] = []
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        found = _find(step, line.order or whole, line.order_line_id, line.item, path)
        if found is None:
            continue
        _sent_by(step, found[0], "buyer")
        detail = reason_text(line.reason)
        for event, stated in _arrivals(line):
            quantity = 0 if cancelled else scaled_of(stated, found[1], f"{path}.{event}")
            if quantity or event == "received":
                pieces.append(Moved(*found, event, quantity, "", detail, path))
    on = document.received_at.date().isoformat() if document.received_at else None
    record(step, touched, "received", pieces, on)
    _over(step, pieces, frozenset({"received", "over", "damaged", "wrong"}), "over-received")


def _arrivals(line: ReceivingLine) -> tuple[tuple[str, Quantity | None], ...]:
    return (
        ("received", line.accepted),
        ("short", line.short),
        ("over", line.over),
        ("damaged", line.damaged),
        ("wrong", line.wrong),
    )


def return_announced(step: Step, document: ReturnAnnouncement) -> None:
    """Goods will come back; nothing has arrived yet."""
    header = step.header
    touched = _begin(step, document, frozenset({"returned"}), header.revision > 0)
    if touched is None:
        return
    whole = document.order or order_named_in_header(header)
    pieces: list[Moved] = []
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        found = _find(step, line.order or whole, line.order_line_id, line.item, path)
        if found is None:
            continue
        _sent_by(step, found[0], "buyer")
        detail = f"{ANNOUNCED}: {reason_text(line.reason)}".rstrip(": ")
        # The schedule_id is the announcement's own line, by which the return receipt refers to it. Goods that are back
        # already (a later revision, a receipt that crossed this) are not announced any more.
        name = f"{reference_of(header)} {line.line_id}"
        standing = int(not any(e.schedule_id == name and _is_back(e) for e in found[0].events))
        quantity = scaled_of(line.quantity, found[1], f"{path}.quantity")
        pieces.append(Moved(*found, "returned", quantity, name, detail, path, standing))
    record(step, touched, "returned", pieces, None)


def return_received(step: Step, document: ReturnReceipt) -> None:
    """Goods have come back, and what becomes of them; replaces what was announced for the same lines."""
    key = document.order or order_named_in_header(document.header)
    touched = _begin(step, document, frozenset({"returned"}), step.header.revision > 0) if key else None
    if key is None or touched is None:
        return
    state = named_order(step, key, "order")
    _sent_by(step, state, "seller")
    announced_as = reference_of(document.announcement) if document.announcement else ""
    announced = {e.schedule_id: e for e in state.events if e.event == "returned" and not _is_back(e)}
    pieces: list[Moved] = []
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        name = f"{announced_as} {line.return_line_id}" if announced_as and line.return_line_id else ""
        said = announced.get(name)
        found = _find(step, key, said.line_id if said else "", line.item, path)
        assert found is not None
        word = _word(line.disposition.value)
        detail = f"{word}: {reason_text(line.reason)}".rstrip(": ")
        quantity = scaled_of(line.quantity, found[1], f"{path}.quantity")
        pieces.append(Moved(*found, "returned", quantity, name, detail, path))
    settled = {piece.schedule_id for piece in pieces if piece.schedule_id}
    step.effects.replace_where(state, lambda e: e.event == "returned" and e.schedule_id in settled and not _is_back(e))
    on = document.received_at.date().isoformat() if document.received_at else None
    record(step, touched, "returned", pieces, on)


def _is_back(event: LineEventRow) -> bool:
    """Whether an event says that goods have come back, and not only that they will."""
    return event.event == "returned" and not event.detail.startswith(ANNOUNCED)


def _word(word: str) -> str:
    """A word of the schema as people read it: RETURN_TO_MAKER becomes "return to maker"."""
    return "received" if word == "UNSPECIFIED" else word.lower().replace("_", " ")


def invoice(step: Step, document: Invoice) -> None:
    """Lines are billed. A prepayment bills no goods."""
    if document.type_code == _PREPAYMENT:
        return
    _bill(step, document, "credited" if document.type_code == _CREDIT_TYPE else "invoiced")


def credit(step: Step, document: CreditNote) -> None:
    """Lines are credited."""
    _bill(step, document, "credited")


def _bill(step: Step, document: Invoice | CreditNote, event: str) -> None:
    header = step.header
    kinds = frozenset({event})
    corrected: tuple[str, ...] = ()
    if document.type_code == _CORRECTED_INVOICE:
        corrected = tuple(
            reference_of(one.document)
            for one in header.references
            if one.kind is ReferenceKind.PRECEDING_INVOICE and one.document
        )
    touched = _begin(step, document, kinds, header.revision > 0, *corrected)
    if touched is None:
        return
    whole = document.order or order_named_in_header(header)
    biller = "buyer" if document.type_code in _SELF_BILLED else "seller"
    pieces: list[Moved] = []
    for place, line in enumerate(document.lines):
        key = line.order or whole
        path = f"lines[{place}]"
        if not line.order_line_id and line.item is None:
            continue
        if key is not None and not line.order_line_id and line.line_kind.value not in ("GOODS", "UNSPECIFIED"):
            # Freight, services and deposits are billed beside what was ordered.
            continue
        found = _find(step, key, line.order_line_id, line.item, path)
        if found is None:
            continue
        _sent_by(step, found[0], biller)
        if found[0].order.kind == "DESPATCH_INSTRUCTION":
            if line.line_kind.value not in ("GOODS", "UNSPECIFIED"):
                continue  # what the service costs
            text = f"order {found[0].order.number} is to send the orderer's own goods: nothing is sold by it"
            raise Refused("nothing-sold", path, text)
        # Catch weight is billed as weighed, and counted as ordered.
        quantity = scaled_of(line.delivered_quantity or line.quantity, found[1], f"{path}.quantity")
        pieces.append(Moved(*found, event, quantity, "", "", path))
    record(step, touched, event, pieces, document.issued_on.isoformat() if document.issued_on else None)
    if event == "invoiced":
        _over(step, pieces, kinds, "over-invoiced")
