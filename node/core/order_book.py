"""What documents do to orders, the same on the buyer's and on the seller's side.

Quantities per line are the truth: a document adds events, and status is derived from them (`node.core.order_view`).

=====================  ===========================================================================================
Order                  A new order and its lines. A higher revision replaces all values; answers and pending
                       requests that knew the older revision stand no longer.
OrderResponse          Per piece: accepted, back_ordered, rejected, substituted, cancelled. Complete per line, so a
                       later answer replaces an earlier one of the lines that it names. ACCEPTED or REJECTED
                       without lines speaks for every line in full. It stands for the order revision that it names:
                       one that crossed a newer revision is kept, but does not stand.
                       What it changes of a line that comes is stated beside the answer: changed.
OrderChange            change_requested, and no more: the ordered quantity changes when an OrderResponse whose
                       `answers` names the change is ACCEPTED or CHANGED. New lines wait with quantity zero.
OrderCancellation      cancel_requested. Ends with an answer that names it. ACCEPTED without lines: what has been
                       despatched stays, the rest is cancelled. REJECTED: all stays.
ApplicationResponse    The buyer's word on an answer with changes: UNDER_QUERY confirmation_due, ACCEPTED confirmed, for
                       the lines that it names, or all that were changed. Stands as long as that answer. Others: none.
DespatchAdvice         despatched (detail: tracking number, SSCC). A later revision of the same number, CORRECTED or
                       CANCELLED, replaces it whole.
ReceivingAdvice        received, short, over, damaged, wrong; corrected and cancelled likewise.
DeliveryStatus         delivered or failed, for what the named despatch (or its named packages) carried; the latest
                       one stands. It may come before its despatch. READY_FOR_COLLECTION: ready, so much of a line
                       in all. COLLECTED, or FAILED, of what was never despatched: delivered, or failed, what lay
                       ready. Other carrier events move no quantity.
ReturnAnnouncement     returned, detail "announced"; the ReturnReceipt that names it replaces it.
ReturnReceipt          returned, detail the disposition.
Invoice                invoiced, and nothing for a prepayment (386); 384 replaces the invoice that it corrects.
CreditNote             credited; so does an Invoice of type 381.
=====================  ===========================================================================================

Every quantity is kept in the line's own unit, converted exactly; a line keeps its unit for life.

=====================  =========  =====================================================================================
finding                outcome    because
=====================  =========  =====================================================================================
unknown-order          refused    the sender names an order that we never had (no reference at all is no finding)
unknown-line           refused    or a line; or names none, and the item is on no line, or on several
unlike-units           refused    never summed (also inexact-conversion)
unknown-request        refused    it answers a change or cancellation that was never sent
unknown-revision       refused    it knows an order revision that was never sent
old-revision           refused    of an Order, OrderChange, OrderCancellation: their sender has newer values itself
old-revision           taken      of an OrderResponse: it crossed the newer revision, whose answer is still to come
other-currency         refused    an order keeps its currency
nothing-sold           refused    goods are billed of an order to send the orderer's own ones
wrong-role             refused    only the seller despatches, and so on (not in return orders and self-billing)
other-content          held       the same number and revision with other values: which one counts is for a human
over-answered          taken      goods and money already move; the view shows the surplus beside the balance,
over-despatched                   tolerances and the invoice match decide what follows
over-received
over-invoiced
unconfirmed            taken      goods are on their way before the buyer has confirmed a changed answer
outside-tolerance      taken      our own answer: by the terms that the buyer has told us, it will have to confirm
unknown-despatch       taken      a carrier event for a despatch, or a package, that was not advised yet
over-ready             taken      more lies ready to be collected than is ordered
over-collected         taken      more was collected than lay ready
=====================  =========  =====================================================================================

Documents of the two directions may cross, so the two sides apply them in different orders; what stands in the end is
the same, because an effect depends only on documents of its own direction, on what its sender knew, or on both
through the revision that it names. Our own documents are applied when they are submitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from node.core.delivery_effects import delivery
from node.core.document import Document
from node.core.document.common import DocumentHeader, DocumentKey, ReferenceKind
from node.core.document.fulfilment import (
    DeliveryStatus,
    DespatchAdvice,
    ReceivingAdvice,
    ReturnAnnouncement,
    ReturnReceipt,
)
from node.core.document.invoice import CreditNote, Invoice
from node.core.document.order import Order, OrderCancellation, OrderChange, OrderResponse
from node.core.document.terms import ApplicationResponse
from node.core.finding import Finding
from node.core.goods_effects import credit, despatch, invoice, receive, return_announced, return_received
from node.core.order_answer import response, verdict
from node.core.order_effects import cancellation, change, order
from node.core.order_state import (
    ANSWERS,
    CONFIRMATIONS,
    Book,
    Effects,
    Held,
    OrderKey,
    OrderState,
    Refused,
    Step,
    key_of,
    merge,
)
from node.core.rows import LineEventRow
from node.errors import RefusedError

__all__ = [
    "Book",
    "Effects",
    "OrderKey",
    "OrderState",
    "apply",
    "completed",
    "keys_needed",
    "merge",
    "submit_findings",
    "undo",
]

_HANDLERS: dict[type, Callable[[Step, Any], None]] = {
    Order: order,
    OrderResponse: response,
    OrderChange: change,
    OrderCancellation: cancellation,
    DespatchAdvice: despatch,
    ReceivingAdvice: receive,
    DeliveryStatus: delivery,
    ReturnAnnouncement: return_announced,
    ReturnReceipt: return_received,
    Invoice: invoice,
    CreditNote: credit,
    ApplicationResponse: verdict,
}
_NO_HEADER = DocumentHeader()


def keys_needed(documents: Iterable[Document], *, sender: str, receiver: str) -> set[OrderKey]:
    """The orders to prefetch before these documents are applied, in one query.

    `sender` and `receiver` are participant ids; either may be the buyer where a reference does not say its issuer.
    For a corrected or cancelled advice or invoice, pass the earlier revision as well: it may name more orders.
    """
    keys: set[OrderKey] = set()
    for document in documents:
        header = document.header or _NO_HEADER
        if isinstance(document, Order):
            keys.add(OrderKey(header.issuer, header.unit, header.number, header.series, header.usage._value_))
            continue
        for key in _order_keys(document):
            if key.issuer:
                keys.add(key_of(key, "", header))
            else:
                keys.add(key_of(key, sender, header))
                keys.add(key_of(key, receiver, header))
    return keys


def _order_keys(document: Document) -> set[DocumentKey]:
    """Every order that a document refers to."""
    if type(document) not in _HANDLERS:
        return set()
    keys = {line.order for line in getattr(document, "lines", ()) if getattr(line, "order", None)}
    if getattr(document, "order", None):
        keys.add(document.order)  # type: ignore[union-attr]
    header = document.header
    if header:
        keys |= {r.document for r in header.references if r.kind is ReferenceKind.ORDER and r.document}
    return keys


def apply(
    document: Document,
    *,
    partner_id: str,
    we_are_sender: bool,
    document_id: int,
    at: int,
    book: Book,
    new_order_id: Callable[[], int],
) -> Effects:
    """What `document` does to orders, as rows; the book is brought up to date, so that the batch's next one sees it.

    `at` is the instant of taking (or submitting) it in microseconds since 1970 UTC. A document that was applied before,
    by its `document_id`, has no effect. Refused and held documents leave the book as it was, and their first finding's
    rule is the code of the refusal. Documents of other types have no effect here.
    """
    handler = _HANDLERS.get(type(document))
    effects = Effects()
    if handler is None:
        return effects
    try:
        header = document.header or DocumentHeader()
        handler(Step(book, partner_id, we_are_sender, document_id, at, new_order_id, effects, header), document)
    except Held as held:
        return Effects(findings=[held.finding], hold=True)
    except Refused as refused:
        return Effects(findings=[refused.finding], refuse=True)
    except RefusedError as error:
        return Effects(findings=[Finding(error.code, "", f"{error.message}. {error.hint}".strip())], refuse=True)
    book.enact(effects, document_id)
    return effects


def undo(
    document: Document,
    *,
    document_id: int,
    at: int,
    reason: str,
    book: Book,
    stands: Callable[[int], bool] = lambda _: False,
) -> Effects:
    """The effects when the partner's node refused our own document, or we withdrew it, after it was applied here.

    What it said stands no longer. An answer's place is taken again by the one before it that `stands`, told by its
    document id: that one is what the partner knows. An order itself stays, with every line rejected for `reason`, so
    that a human sees why nothing comes; so do the values of a refused revision, which a further revision corrects.
    """
    effects = Effects()
    keys = keys_needed([document], sender=book.own_id, receiver="")
    for key in sorted(keys):
        state = book.orders.get(key)
        if state is None:
            continue
        answered = {e.line_id for e in state.events if e.standing and e.document_id == document_id}
        effects.replace_where(state, lambda e: e.document_id == document_id)
        if isinstance(document, OrderResponse):
            for line_id in sorted(answered):
                effects.events.extend(_answer_before(state, line_id, document_id, stands))
        if not isinstance(document, Order):
            continue
        number = document.header.number if document.header else ""
        effects.events.extend(
            LineEventRow(
                line.order_id,
                line.line_id,
                document_id,
                "",
                "rejected",
                line.quantity,
                line.unit,
                None,
                number,
                reason,
                at,
                1,
            )
            for line in state.lines.values()
            if line.quantity
        )
    book.enact(effects, document_id)
    return effects


def _answer_before(
    state: OrderState, line_id: str, document_id: int, stands: Callable[[int], bool]
) -> list[LineEventRow]:
    """What a line's last standing answer before this document said, and what was said of that answer."""
    said = [e for e in state.events if e.line_id == line_id and e.document_id < document_id and not e.standing]
    answers = {e.document_id for e in said if e.event in ANSWERS}
    newest = max((one for one in answers if stands(one)), default=None)
    if newest is None:
        return []
    again = [
        e for e in said if e.event in ANSWERS | CONFIRMATIONS and newest <= e.document_id and stands(e.document_id)
    ]
    return list(dict.fromkeys(e._replace(standing=1) for e in again))


def submit_findings(document: Document, book: Book) -> list[Finding]:
    """What only the sender checks, before it submits: whether an answer is to what the buyer wants now.

    The receiver takes such an answer, because it may have crossed the newer revision.
    """
    if not isinstance(document, OrderResponse) or document.order is None:
        return []
    for buyer in ("",) if document.order.issuer else tuple({key.issuer for key in book.orders}):
        state = book.orders.get(key_of(document.order, buyer, document.header or _NO_HEADER))
        if state and document.order.revision < state.order.revision:
            known, named = state.order.revision, document.order.revision
            text = f"the order is now revision {known}; answer that one, not {named}"
            return [Finding("old-revision", "order.revision", text)]
    return []


def completed(document: Document, book: Book, *, buyer: str) -> Document:
    """Our own document with what most ERPs do not say about the order that it names: its issuer and its revision.

    `buyer` is the participant id of the order's buyer. Anything that the document states is left as it is.
    """
    if not isinstance(document, OrderResponse | OrderChange | OrderCancellation) or document.order is None:
        return document
    key = document.order if document.order.issuer else replace(document.order, issuer=buyer)
    state = book.orders.get(key_of(key, buyer, document.header or _NO_HEADER))
    revision = state.order.revision if state else 0
    if isinstance(document, OrderResponse):
        return replace(document, order=replace(key, revision=key.revision or revision))
    return replace(document, order=key, order_revision=document.order_revision or revision)
