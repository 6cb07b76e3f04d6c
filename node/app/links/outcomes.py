"""What receipts say of our documents, checked against what they said before, and what a refusal undoes here."""

from __future__ import annotations

import json
from collections.abc import Sequence

from node.app.context import Context
from node.app.documents import orders
from node.app.fulfilment import notices
from node.app.stock import inventory
from node.core import link
from node.core.document.common import Reason
from node.core.rows import DocumentRow, LinkRow
from node.ports import Transaction

__all__ = ["named_by", "reasons_text", "receipted"]


def named_by(
    tx: Transaction, outgoing: LinkRow, body: link.ReceiptBody
) -> list[tuple[DocumentRow, link.DocumentOutcome]]:
    """Our documents that a receipt names, with what it says of them.

    Raises LinkFault for what cannot be: no outcome, a number beyond the receipt's head, or another word on a document
    that was taken or refused before.
    """
    found = []
    for outcome in body.outcomes:
        if outcome.outcome == link.Outcome.UNSPECIFIED or outcome.number > body.number:
            raise link.LinkFault("broken", f"an outcome of number {outcome.number} that cannot be")
        for row in tx.documents.span(outgoing.partner_id, "out", outgoing.epoch, outcome.number, outcome.number):
            if row.state not in ("sent", "held", outcome.outcome.value.lower()):
                text = f"number {outcome.number} is {row.state}; now {outcome.outcome.value.lower()} is said of it"
                raise link.LinkFault("broken", text)
            found.append((row, outcome))
    return found


def receipted(
    tx: Transaction,
    ctx: Context,
    outgoing: LinkRow,
    body: link.ReceiptBody,
    named: Sequence[tuple[DocumentRow, link.DocumentOutcome]],
) -> None:
    """What a verified receipt says of our documents: taken, refused or held; a refusal undoes our own expectation."""
    changed: list[tuple[str, str, int]] = []
    refused: list[DocumentRow] = []
    for row, outcome in named:
        state, reasons = outcome.outcome.value.lower(), reasons_text(outcome.reasons)
        changed.append((state, reasons, row.document_id))
        if state == "refused" and row.state != "refused":
            refused.append(row._replace(state=state, reasons=reasons))
    if changed:
        tx.documents.set_outcomes(changed)
    span = (outgoing.partner_id, outgoing.epoch, body.number, outgoing.receipted_number)
    tx.customer_orders.wake_taken(*span, ctx.now_micros())
    tx.documents.take_sent(*span)
    if refused:
        orders.undo_refused(tx, ctx, outgoing.partner_id, refused)
        notices.notice_rows(tx, ctx, refused)
    if any(row.type == "InventoryReport" for row in refused):
        inventory.resend_refused(tx, ctx, outgoing.partner_id)


def reasons_text(reasons: Sequence[Reason]) -> str:
    """Reasons as the store keeps them."""
    return json.dumps([{"code": one.code, "text": one.text} for one in reasons]) if reasons else ""
