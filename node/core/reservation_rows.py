"""Rows of the stock ledger as they lie in the store: holds and allocations one by one, and their sums by place.

Units of time and quantity are those of `node.core.rows`.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ReservationRow", "StockCounterRow"]


class ReservationRow(NamedTuple):
    """A hold, or what an order has taken up: given to a partner, got from one, or on our own stock for ourselves."""

    reservation_id: str  # the requester's name of it; "order|id|line|location" for what an order took without a hold
    partner_id: str  # the other side; "" for our own
    role: str  # grantor, requester, own
    state: str  # requested, granted, partly_granted, refused, confirmed, reflected, released, expired, withdrawn
    item_key: str
    location: str
    quantity: int  # asked for, in `unit`
    granted: int  # in `unit`
    unit: str
    held: int  # what it takes off our stock now, in the stock figure's unit; 0 for a requester's
    covered: int  # of `held`: what our ERP's figures from `covered_at` on have taken off already
    covered_at: int
    request: str  # number of the document that asked for it
    request_document: int  # its id here; 0 where no document did
    expires_at: int  # by the grantor's clock; a requester's is earlier by the margin
    extensions: int
    customer_order: str
    piece_id: int
    order_id: int  # 0 until an order took it up
    line_id: str  # of the request until confirmed, then of the order
    root_id: str
    reason: str
    at: int  # when its state changed last


class StockCounterRow(NamedTuple):
    """What holds and orders take off our figure of one item at one place; always the sums of the reservations."""

    item_key: str
    location: str
    unit: str  # the stock figure's
    reserved: int
    allocated: int
    exposed: int  # by how much our ERP's own sales made the figure fall at most, between two figures
    exposed_at: int
