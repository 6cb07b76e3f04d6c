"""Steps of the ways in which goods reach a customer: collected, over a dock or a store, or not delivered after all.

==============  ======================================================================================================
brought on      a piece that only brings goods to a store or dock of ours ends when they are counted in there; another
                piece takes them on, to be collected or sent. Of what comes from another site of ours, our own word that
                it was delivered is enough; at a partner's dock the carrier's is: nobody of ours counts there.
not collected   what lay ready until its deadline, or is said not to have been collected, goes back to stock, and the
                customer gets it no more
failed          a delivery that failed is not counted; a human decides whether the goods are sent again
==============  ======================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

from node.core.customer_rows import CustomerOrderRow, PieceRow
from node.core.decimals import format_decimal, from_scaled
from node.core.piece_state import INBOUND, PieceFact

__all__ = ["NotCollected", "PassOn", "due_of", "failed_text", "mode_of", "place_of", "to_customer"]

_BINDS = frozenset(
    {"ordering", "in_doubt", "ordered", "waiting_human", "accepted", "ready", "cancelling", "despatched"}
)


@dataclass(frozen=True, slots=True)
class PassOn:
    """So much of a piece has arrived where another piece takes it on."""

    piece_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class NotCollected:
    """The rest of a piece goes back to stock, and the customer gets it no more."""

    piece_id: int
    reason: str


def place_of(collect_at: str) -> tuple[str, str]:
    """(partner id, location) of where an order's goods are collected or go on; a place of ours has no partner."""
    partner_id, _, location = collect_at.rpartition("|")
    return partner_id, location


def mode_of(order: CustomerOrderRow, partner_id: str, location: str, *, logistics: bool) -> str:
    """How the goods of a source move for this order."""
    if order.collect_at and order.kind in ("PICK_UP", "CROSS_DOCK"):
        if (partner_id, location) != place_of(order.collect_at):
            return "to_collect" if order.kind == "PICK_UP" else "cross_dock"
        if order.kind == "PICK_UP":
            return "collect"
    elif order.collect_at and not logistics:
        return "transfer"
    if not partner_id:
        return "ship"
    return "third_party" if logistics else "drop_ship"


def to_customer(order: CustomerOrderRow, piece: PieceRow) -> bool:
    """Whether a piece goes to the customer's address; else it goes to the order's place."""
    return not order.collect_at or (order.kind == "CROSS_DOCK" and piece.mode not in INBOUND)


def failed_text(order: CustomerOrderRow, quantity: int, unit: str, why: str) -> str:
    """What a human reads of a delivery that failed."""
    because = f" ({why})" if why else ""
    return (
        f"the delivery of {format_decimal(from_scaled(quantity))} {unit} has failed{because}: the carrier tries again, "
        f"or `hansa order resend {order.number}`, with --cancel if it is wanted no more"
    )


def due_of(order: CustomerOrderRow, piece: PieceRow, fact: PieceFact, now: int) -> PassOn | NotCollected | None:
    """What is due of a live piece beside its order. `fact` is about what it still holds."""
    if piece.state not in _BINDS:
        return None
    if piece.mode in INBOUND:
        counted = max(fact.received, fact.ready)
        if not piece.partner_id or place_of(order.collect_at)[0]:
            counted = max(counted, fact.delivered)
        arrived = min(counted, piece.quantity)
        return PassOn(piece.piece_id, arrived) if arrived else None
    if piece.mode != "collect" or piece.state in ("cancelling", "despatched"):
        return None
    # Where less was asked for already, that ends with an answer, or by the deadline.
    if fact.failed and not fact.cancel_ever:
        return NotCollected(piece.piece_id, f"it was not collected: {fact.failed_why}".removesuffix(": "))
    if piece.state == "ready" and piece.next_at is not None and piece.next_at <= now:
        return NotCollected(piece.piece_id, "it was not collected in time")
    return None
