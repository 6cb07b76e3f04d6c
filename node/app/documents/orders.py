"""Orders in the store: the book that a batch needs, its effects written back, and what users ask of orders."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from node import wire
from node.app.context import Context
from node.app.stock import allocation, requested
from node.core import order_book, order_view
from node.core.document import Document
from node.core.document.order import Order, OrderResponse
from node.core.document.terms import TradeTerms
from node.core.rows import DocumentRow, OrderRow, PartnerRow
from node.core.tolerance import Tolerances
from node.errors import RefusedError
from node.ports import OrderIdentity, Transaction

__all__ = ["book_for", "find", "order_ids", "show", "terms_told", "tolerances_for", "undo_refused", "write"]


def book_for(tx: Transaction, ctx: Context, partner: PartnerRow, documents: Sequence[Document]) -> order_book.Book:
    """What is known of the orders that these documents name, in three queries."""
    own = tx.partners.own().partner_id
    needed = order_book.keys_needed(documents, sender=own, receiver=partner.partner_id)
    keys = [OrderIdentity(*key) for key in needed]
    orders = list(tx.orders.find(partner.partner_id, keys).values()) if keys else []
    ids = [order.order_id for order in orders]
    lines = tx.orders.lines(ids) if ids else []
    events = tx.orders.events(ids) if ids else []
    told = None
    if any(isinstance(one, OrderResponse) and (one.lines or one.dates) for one in documents):
        told = _tolerances_told(tx, partner.partner_id)
    return order_book.Book.of_rows(own, orders, lines, events, tolerances_for(ctx, partner.partner_id), told)


def order_ids(tx: Transaction, documents: Sequence[Document]) -> Callable[[], int]:
    """Gives an id to each new order of these documents; all are reserved at once."""
    count = sum(isinstance(document, Order) for document in documents)
    ids = iter(range(first := tx.orders.next_ids(count), first + count)) if count else iter(())
    return lambda: next(ids)


def tolerances_for(ctx: Context, partner_id: str) -> Tolerances:
    """The tolerances that our settings name for this partner."""
    terms = ctx.settings.partner(partner_id)
    return Tolerances(
        terms.quantity_over_percent,
        terms.quantity_under_percent,
        terms.price_percent,
        terms.days_early,
        terms.days_late,
    )


def terms_told(tx: Transaction, partner_id: str) -> TradeTerms | None:
    """The newest trade terms that the partner has told us."""
    found = tx.documents.search(partner_id=partner_id, direction="in", type="TradeTerms", state="taken", limit=1)
    if not found or found[0].body is None:
        return None
    document = wire.decode_document("TradeTerms", found[0].body)
    return document if isinstance(document, TradeTerms) else None


def _tolerances_told(tx: Transaction, partner_id: str) -> Tolerances:
    """What the partner has told of its tolerances. In the document no days and none agreed look alike: not compared."""
    terms = terms_told(tx, partner_id)
    told = terms.tolerance if terms else None
    if told is None:
        return Tolerances()
    return Tolerances(
        told.quantity_over, told.quantity_under, told.price, told.days_early or None, told.days_late or None
    )


def write(tx: Transaction, effects: order_book.Effects) -> None:
    """Write merged effects, one statement for each table; what is superseded first."""
    for order_id, document_ids in effects.supersede:
        tx.orders.supersede(order_id, document_ids)
    if effects.new_orders:
        tx.orders.add_orders(effects.new_orders)
    if effects.updated_orders:
        tx.orders.update_orders(effects.updated_orders)
    if effects.new_lines:
        tx.orders.add_lines(effects.new_lines)
    if effects.changed_lines:
        tx.orders.put_lines(effects.changed_lines)
    if effects.events:
        tx.orders.add_events(effects.events)


def undo_refused(tx: Transaction, ctx: Context, partner_id: str, refused: Sequence[DocumentRow]) -> None:
    """The partner refused documents of ours: what we expected of them stands no longer."""
    partner = tx.partners.get(partner_id)
    assert partner is not None
    undone: list[Document] = []
    for row in refused:
        if row.body is None or row.type == "InventoryReport" or row.duplicate_of is not None:
            continue
        try:
            document = wire.decode_document(row.type, row.body)
        except wire.InvalidFieldsError:
            continue
        book = book_for(tx, ctx, partner, [document])
        effects = order_book.undo(
            document,
            document_id=row.document_id,
            at=ctx.now_micros(),
            reason=_first_reason(row),
            book=book,
            stands=partial(_stands, tx),
        )
        write(tx, order_book.merge([effects]))
        undone.append(document)
    allocation.settle_documents(tx, ctx, partner_id, undone)
    requested.undo_refused(tx, ctx, partner_id, refused)


def _stands(tx: Transaction, document_id: int) -> bool:
    row = tx.documents.get(document_id)
    return row is not None and row.state in ("waiting", "sent", "taken")


def _first_reason(row: DocumentRow) -> str:
    reasons = json.loads(row.reasons) if row.reasons else []
    return str(reasons[0]["text"]) if reasons else row.state


def show(tx: Transaction, ctx: Context, number: str, *, partner_id: str | None = None) -> list[dict[str, Any]]:
    """Every order that this number names (the order's, the seller's or the customer order's), told piece by piece.

    Raises RefusedError ``unknown-order``.
    """
    found = tx.orders.search(number=number, partner_id=partner_id, limit=100)
    if not found:
        raise RefusedError(
            f"no order {number!r} is known", code="unknown-order", hint="`hansa order list` shows those that are."
        )
    return [_view(tx, ctx, order) for order in found]


def _view(tx: Transaction, ctx: Context, order: OrderRow) -> dict[str, Any]:
    partner = tx.partners.get(order.partner_id)
    lines, events = tx.orders.lines([order.order_id]), tx.orders.events([order.order_id])
    internal = partner is not None and partner.state == "self"
    view = order_view.view(order, lines, events, ctx.now(), internal=internal)
    sent = tx.documents.get(order.document_id)
    return {
        **view.as_fields(),
        "partner_name": partner.name if partner else "",
        "document": {
            "id": order.document_id,
            "state": sent.state if sent else "",
            "number": sent.number if sent else None,
        },
    }


def find(
    tx: Transaction, ctx: Context, *, number: str | None = None, partner_id: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Orders with their derived status, newest first."""
    return [_view(tx, ctx, order) for order in tx.orders.search(number=number, partner_id=partner_id, limit=limit)]
