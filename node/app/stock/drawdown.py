"""What received documents draw from our own stock: revised orders only what they add, and tests nothing once live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from node import wire
from node.app.context import Context
from node.app.stock.ledger import Ledger
from node.core.document import Document, header_of
from node.core.document.catalogue import ItemCatalogue
from node.core.document.common import Usage
from node.core.document.order import Order, OrderLine
from node.core.quantity import Quantity
from node.core.reservation import LIVE, OPEN, after
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["felt", "forget_tests"]

RESERVATIONS_MAX = 100_000
NOTICES_MAX = 10_000
"""What a partner can have asked for and told in test at most."""

REVISIONS_LOOKED_AT = 100
"""Documents under one number among which the revision before is looked for."""


def felt(tx: Transaction, partner_id: str, documents: Sequence[Document]) -> list[Document]:
    """The documents as our stock feels them, after they were stored.

    Test documents move nothing once a link of ours is live and partners rely on our figures.
    """
    live = any(row.usage == Usage.PRODUCTION for row in tx.partners.all()) if _any_test(documents) else False
    found = []
    for one in documents:
        if live and header_of(one).usage != Usage.PRODUCTION and not isinstance(one, ItemCatalogue):
            continue
        found.append(_additional(tx, partner_id, one) if isinstance(one, Order) and header_of(one).revision else one)
    return found


def forget_tests(tx: Transaction, ctx: Context, partner_id: str) -> None:
    """A partner goes live: what tests hold or took up of our stock is free, what we hold of its stock is over."""
    reason = "it was held in test"
    given = [
        row
        for row in tx.reservations.search(partner_id=partner_id, role="grantor", limit=RESERVATIONS_MAX)
        if row.held or row.state in LIVE
    ]
    ledger = Ledger(tx, ctx, {row.item_key for row in given})
    for row in given:
        now = ledger.known((row.reservation_id, row.partner_id, row.role)) or row
        ledger.change(now, ledger.ended(now, "release", reason))
    ledger.write()
    asked = tx.reservations.search(partner_id=partner_id, role="requester", limit=RESERVATIONS_MAX)
    tx.reservations.put(
        [
            row._replace(state=after(row.state, "release"), reason=reason, at=ctx.now_micros())
            for row in asked
            if row.state in OPEN or row.state == "confirmed"
        ]
    )
    notices = tx.disruptions.search(state="in_force", limit=NOTICES_MAX)
    # Without a revision, so that a productive notice may have the same number.
    ended = [row._replace(state="ended", revision=0) for row in notices if row.partner_id == partner_id]
    tx.disruptions.put(ended)


def _any_test(documents: Sequence[Document]) -> bool:
    return any(header_of(one).usage != Usage.PRODUCTION for one in documents)


def _additional(tx: Transaction, partner_id: str, order: Order) -> Order:
    """The order with only what it orders beyond the revision before."""
    before = _before(tx, partner_id, order)
    ordered = {line.line_id: line.quantity for line in before.lines} if before else {}
    lines = []
    for line in order.lines:
        more = _more(line, ordered.get(line.line_id))
        if more is not None:
            lines.append(replace(line, quantity=more))
    return replace(order, lines=tuple(lines))


def _before(tx: Transaction, partner_id: str, order: Order) -> Order | None:
    header = header_of(order)
    same = (header.issuer, header.unit, header.series, header.usage.value)
    rows = [
        row
        for row in tx.documents.search(
            partner_id=partner_id,
            direction="in",
            type="Order",
            state="taken",
            number=header.number,
            limit=REVISIONS_LOOKED_AT,
        )
        if (row.issuer, row.unit, row.series, row.usage) == same
        and row.revision < header.revision
        and row.duplicate_of is None
        and row.body is not None
    ]
    if not rows:
        return None
    newest = max(rows, key=lambda row: row.revision)
    before = wire.decode_document(newest.type, newest.body or b"")
    return before if isinstance(before, Order) else None


def _more(line: OrderLine, before: Quantity | None) -> Quantity | None:
    if line.quantity is None or before is None:
        return line.quantity
    try:
        more = line.quantity - before
    except RefusedError:
        return line.quantity
    return more if more.value > 0 else None
