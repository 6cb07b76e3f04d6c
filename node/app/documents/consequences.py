"""What taken documents lead to beyond the order book: on the stock ledger, at other partners, in customer orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.app.context import Context
from node.app.documents import terms
from node.app.fulfilment import notices, taking_over
from node.app.stock import allocation, disruptions, drawdown, granting, inventory, replenishment, reservations
from node.core.document import Document
from node.core.document.inventory import InventoryReport
from node.core.document.order import Order
from node.core.document.reservation import ReservationRelease
from node.core.finding import Finding
from node.ports import Transaction

__all__ = ["doubts", "move_stock", "tell_process"]


def doubts(tx: Transaction, partner_id: str, document: Document) -> list[Finding]:
    """What is wrong with a received document for what we have given this partner, beyond what it says by itself."""
    return granting.release_findings(tx, partner_id, document) if isinstance(document, ReservationRelease) else []


def move_stock(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> set[str]:
    """What taken documents do on the stock ledger: holds first, then what orders take up; returns whom to wake."""
    wake = {partner_id} if reservations.take(tx, ctx, partner_id, documents) else set()
    felt = drawdown.felt(tx, partner_id, documents)
    ours = [taking_over.only_holds(ctx, partner_id, one) for one in felt if isinstance(one, Order)]
    short = allocation.take_orders(tx, ctx, partner_id, ours)
    inventory.take_catalogues(tx, ctx, partner_id, felt)
    wake |= replenishment.trigger(tx, ctx, partner_id, felt)
    wake |= disruptions.take(tx, ctx, partner_id, felt)
    answered = [one for one in documents if not taking_over.orchestrates(ctx, partner_id, one)]
    if terms.accept_by_terms(tx, ctx, partner_id, answered, short):
        wake.add(partner_id)
    return wake


def tell_process(
    tx: Transaction,
    ctx: Context,
    partner_id: str,
    taken: Sequence[tuple[int, Document, bytes]],
    item_keys: Iterable[str],
) -> None:
    """What taken documents (id, document, personal data) and stock figures mean for customer orders.

    Partners' orders that we source ourselves become such.
    """
    taking_over.take_over(tx, ctx, partner_id, taken)
    notices.notice(tx, ctx, partner_id, [one for _, one, _ in taken if not isinstance(one, InventoryReport)])
    notices.supply_changed(tx, ctx, sorted(set(item_keys)))
