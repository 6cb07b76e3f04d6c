"""Orders between our company and itself: instructions to our own sites, in the same book as partners' orders.

They travel nowhere, so they are taken the moment they are submitted; our own system gets them through its adapter, and
what it says of them (or a person by hand) has the same effects as a partner's word.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.app.context import Context
from node.app.fulfilment import notices
from node.core import order_book
from node.core.document import Document, document_key
from node.core.document.common import DocumentHeader, Reason, Usage
from node.core.document.fulfilment import ReceivingAdvice
from node.core.document.order import Order, OrderCancellation, OrderChange, OrderResponse, ResponseOutcome
from node.core.rows import DocumentRow, HandoverRow, PartnerRow
from node.ports import USAGES, OrderIdentity, Transaction

__all__ = ["as_partner", "concerns_own", "follow", "own_usage", "refusal", "taken", "usage_of", "we_say"]

_OF_BUYER = (Order, OrderChange, OrderCancellation, ReceivingAdvice)
_FOLLOWED = ("ApplicationResponse", "OrderChange", "OrderCancellation", "ReceivingAdvice", "DeliveryStatus")


def own_usage(tx: Transaction) -> Usage:
    """Our own documents count, unless every partner is still in test."""
    usages = {row.usage for row in tx.partners.all() if row.state == "confirmed"}
    return Usage.TEST if usages == {"TEST"} else Usage.PRODUCTION


def as_partner(tx: Transaction, row: PartnerRow) -> PartnerRow:
    """Our own row, as documents to ourselves see it."""
    return row._replace(usage=own_usage(tx).value, last_hello="")


def usage_of(tx: Transaction, own: str, document: Document) -> Usage:
    """In which usage a document to ourselves goes: the one of the order that it names, else ours today.

    Our own usage changes with our partners'; an order of our own that was placed before goes on as it began.
    """
    today = own_usage(tx)
    keys = order_book.keys_needed([document], sender=own, receiver=own)
    if isinstance(document, Order) or not keys:
        return today
    named = [OrderIdentity(*key)._replace(usage=usage) for key in keys for usage in USAGES]
    usages = {row.usage for row in tx.orders.find(own, named).values()}
    return Usage(next(iter(usages))) if len(usages) == 1 else today


def we_say(document: Document) -> bool:
    """In an internal order we are its seller; whether that side says this document."""
    return not isinstance(document, _OF_BUYER)


def taken(row: DocumentRow) -> DocumentRow:
    """The document as it lies here: it goes nowhere and is taken at once."""
    return row._replace(epoch=0, number=row.document_id, state="taken")


def follow(tx: Transaction, ctx: Context, rows: Sequence[DocumentRow], documents: Sequence[Document]) -> None:
    """Documents of ours were stored: instructions go to our own system, and customer orders see what concerns them."""
    if not rows:
        return
    own = rows[0].state == "taken"
    if own:
        now = ctx.now_micros()
        handovers = [
            HandoverRow(row.document_id, row.type, "waiting", 0, now, "", "", None)
            for row, document in zip(rows, documents, strict=True)
            if isinstance(document, _OF_BUYER[:3]) and _is_taken_by_erp(ctx, row)
        ]
        if handovers:
            tx.handovers.add(handovers)
    followed = [document for row, document in zip(rows, documents, strict=True) if own or row.type in _FOLLOWED]
    notices.notice(tx, ctx, rows[0].partner_id, followed)


def _is_taken_by_erp(ctx: Context, row: DocumentRow) -> bool:
    return any(row.type in one.documents and one.usage == row.usage.lower() for one in ctx.settings.adapters)


def refusal(row: DocumentRow, document: Document, reason: str) -> OrderResponse | None:
    """What our own system's refusal of an instruction, or of a change of one, says in the book; else None."""
    if (
        row.state != "taken"
        or row.direction != "out"
        or not isinstance(document, Order | OrderChange | OrderCancellation)
    ):
        return None
    key = document_key(document)
    about = key if isinstance(document, Order) else document.order
    return OrderResponse(
        header=DocumentHeader(number=f"V{row.document_id}"),
        order=about,
        outcome=ResponseOutcome.REJECTED,
        answers=None if isinstance(document, Order) else key,
        reason=Reason(code="erp", text=reason[:500], language="en"),
    )


def concerns_own(tx: Transaction, document: Document) -> str:
    """Our own id, where a document from our own system is about an internal order; else ""."""
    key = getattr(document, "order", None)
    if key is None:
        return ""
    own = tx.partners.own().partner_id
    if key.issuer not in ("", own):
        return ""
    identities = [OrderIdentity(own, key.unit, key.number, key.series, usage) for usage in USAGES]
    return own if tx.orders.find(own, identities) else ""
