"""Rows of the stock ledger as they lie in the store: holds and allocations one by one, and their sums by place.

Units of time and quantity are those of `node.core.rows`.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ErpHoldRow", "ReservationRow", "StockCounterRow"]


class ReservationRow(NamedTuple):
    """A hold, or what an order has taken up: given to a partner, got from one, or on our own stock for ourselves."""

    reservation_id: str  # the requester's name of it; "order|id|line|location" for what an order took without a hold
    partner_id: str  # the other side; "" for our own
    role: str  # grantor, requester, own
    state: str  # requested, granted, partly_granted, pending, refused, confirmed, reflected, released, ...
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


class ErpHoldRow(NamedTuple):
    """What our ERP knows of a hold on our stock, and when it is to be told more."""

    reservation_id: str
    partner_id: str
    role: str
    adapter: str
    told: str  # nothing, held, refused, ended
    number: str  # the item, as the stock figure names it
    gtin: str
    location: str
    quantity: int  # asked for, in the stock figure's unit
    unit: str
    until: int  # the hold's end as the ERP was told
    bound: str  # JSON: the reservation ids of the request that stand or fall together; "" for this one alone
    answer_by: int  # after this a pending hold is refused; 0 where nobody waits
    next_at: int  # when to tell; 0 where there is nothing to tell
    attempts: int
    reference: str  # the ERP's
    error: str
