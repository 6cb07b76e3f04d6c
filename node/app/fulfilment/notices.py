"""What wakes the process of customer orders: documents on their pieces, answers to their holds, new supply.

Only marks orders as due, in the transaction of what happened; what it means is read from the order book and the ledger
when the order is looked at. So the same news twice has no second effect, and none is lost by a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node import wire
from node.app.context import Context
from node.core import order_book
from node.core.customer_rows import PieceRow
from node.core.document import Document
from node.core.document.reservation import ReservationRequest, ReservationResponse
from node.core.rows import DocumentRow
from node.ports import OrderIdentity, Transaction

__all__ = ["look_again", "notice", "notice_rows", "supply_changed", "wake_pieces"]


def notice(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> bool:
    """Documents of a partner, or of our own on internal orders, were taken; whether a customer order is due now."""
    if not documents or not tx.customer_orders.in_use():
        return False
    own = tx.partners.own().partner_id
    keys = order_book.keys_needed(documents, sender=own, receiver=partner_id)
    orders = list(tx.orders.find(partner_id, [OrderIdentity(*key) for key in keys]).values()) if keys else []
    ids = [order.order_id for order in orders]
    pieces = tx.customer_orders.pieces_ordered_by([one.order_id for one in orders if one.customer_order]) if ids else []
    due = {piece.customer_order_id for piece in pieces}
    if ids:
        due |= {row.customer_order_id for row in tx.customer_orders.of_origin(ids)}
    held = [
        line.reservation_id
        for one in documents
        if isinstance(one, ReservationRequest | ReservationResponse)
        for line in one.lines
    ]
    if held:
        found = tx.reservations.find(partner_id, "requester", held).values()
        due |= _of_pieces(tx, [row.piece_id for row in found if row.piece_id])
    return _wake(tx, ctx, due)


def notice_rows(tx: Transaction, ctx: Context, rows: Iterable[DocumentRow]) -> bool:
    """Documents of ours were receipted, refused or withdrawn; whether a customer order is due now."""
    due = False
    by_partner: dict[str, list[Document]] = {}
    for row in rows:
        if row.body is None or row.type in ("InventoryReport", "ItemCatalogue"):
            continue
        try:
            by_partner.setdefault(row.partner_id, []).append(wire.decode_document(row.type, row.body))
        except wire.InvalidFieldsError:
            continue
    for partner_id, documents in by_partner.items():
        due |= notice(tx, ctx, partner_id, documents)
    return due


def supply_changed(tx: Transaction, ctx: Context, item_keys: Sequence[str]) -> bool:
    """Stock figures have changed: what waits for these items is sourced again, the most urgent and oldest first."""
    orders = tx.customer_orders.back_ordered(list(item_keys))
    if not orders:
        return False
    ids = [order.customer_order_id for order in orders]
    wanted = set(item_keys)
    lines = tx.customer_orders.lines(ids)
    came = [line for line in lines if line.item_key in wanted]
    # The components of a kit are sourced together.
    kits = {(line.customer_order_id, line.parent_line) for line in came if line.parent_line}
    came += [line for line in lines if (line.customer_order_id, line.parent_line) in kits]
    keys = {(line.customer_order_id, line.line_id) for line in came}
    now = ctx.now_micros()
    tx.customer_orders.put_pieces(
        [
            piece._replace(next_at=now)
            for piece in tx.customer_orders.pieces(ids)
            if piece.state == "back_ordered" and (piece.customer_order_id, piece.line_id) in keys
        ]
    )
    return _wake(tx, ctx, ids)


def look_again(tx: Transaction, ctx: Context, customer_order_ids: Sequence[int]) -> bool:
    """What of these orders waits for supply is sourced again now; whether there is such a thing."""
    waits = [
        piece
        for piece in tx.customer_orders.pieces(customer_order_ids)
        if piece.state == "back_ordered" and not piece.promised_on
    ]
    if not waits:
        return False
    tx.customer_orders.put_pieces([piece._replace(next_at=ctx.now_micros()) for piece in waits])
    return _wake(tx, ctx, {piece.customer_order_id for piece in waits})


def wake_pieces(tx: Transaction, ctx: Context, piece_ids: Sequence[int]) -> bool:
    """Something happened to the holds of these pieces."""
    return _wake(tx, ctx, _of_pieces(tx, piece_ids))


def _of_pieces(tx: Transaction, piece_ids: Sequence[int]) -> set[int]:
    pieces: list[PieceRow] = tx.customer_orders.pieces_named(piece_ids) if piece_ids else []
    return {piece.customer_order_id for piece in pieces}


def _wake(tx: Transaction, ctx: Context, ids: Iterable[int]) -> bool:
    return tx.customer_orders.wake(sorted(ids), ctx.now_micros()) > 0
