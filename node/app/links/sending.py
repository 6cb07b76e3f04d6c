"""Sending: numbers are given when a batch is formed and committed before it leaves; receipts say what became of it.

A document gets its number only inside a session whose hello has confirmed our head. What was numbered stays as it is,
byte for byte; the same head may be signed again by a newer key.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

from node import wire
from node.app.context import Context
from node.app.links import cards, outcomes
from node.app.links.positions import Refusal, chain_at, link_row, stop
from node.app.stock import inventory
from node.core import link
from node.core.rows import DocumentRow, HeadRow, LinkRow, ReceiptRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["next_batch", "take_receipt"]

STOCK_SHARE = 8
"""One part in so many of a batch is kept for stock when stock is waiting, so that orders never starve it."""

OUTCOMES_MAX = 20_000
"""Documents that one receipt may name: more than a batch holds, or than wait behind a held one."""


def next_batch(tx: Transaction, ctx: Context, partner_id: str, after: int) -> tuple[link.Batch, int] | None:
    """The batch after number `after`: one that was formed before, or a new one; None when nothing waits.

    May be called only inside a session that `open_session` has opened.
    """
    outgoing = link_row(tx, partner_id, "out")
    if outgoing.state == "stopped":
        return None
    if after < outgoing.number:
        return _stored_batch(tx, ctx, outgoing, after)
    return _new_batch(tx, ctx, outgoing)


def _stored_batch(tx: Transaction, ctx: Context, outgoing: LinkRow, after: int) -> tuple[link.Batch, int]:
    partner_id = outgoing.partner_id
    head = tx.links.heads_after(partner_id, "out", outgoing.epoch, after, 1)[0]
    rows = tx.documents.span(partner_id, "out", outgoing.epoch, after + 1, head.number)
    signer = cards.signer_for(tx, ctx, partner_id)
    if wire.decode(link.BatchHead, head.head).key_id != signer.key_id:
        # The same head, vouched for by the key that the partner knows now.
        head = _sign_head(tx, ctx, outgoing._replace(number=head.number, chain=head.chain))
        tx.links.add_head(head)
    return _batch(head, rows), head.number


def _new_batch(tx: Transaction, ctx: Context, outgoing: LinkRow) -> tuple[link.Batch, int] | None:
    partner_id = outgoing.partner_id
    limits = ctx.settings.limits
    stock_waits = inventory.stock_waits(tx, ctx, outgoing)
    budget = limits.batch_bytes - (limits.batch_bytes // STOCK_SHARE if stock_waits else 0)
    aged_before = ctx.now_micros() - limits.aged_seconds * 1_000_000
    chosen = tx.documents.waiting(partner_id, limits.batch_documents, budget, aged_before)
    number = outgoing.number
    tx.documents.number([(outgoing.epoch, number + i, row.document_id) for i, row in enumerate(chosen, start=1)])
    if stock_waits:
        size = sum(len(row.body or b"") + len(row.personal or b"") for row in chosen)
        room = max(limits.batch_bytes - size, limits.batch_bytes // STOCK_SHARE)
        reports, change = inventory.stock_reports(tx, ctx, outgoing, number + len(chosen), room)
        tx.documents.add(reports)
        chosen.extend(reports)
        outgoing = outgoing._replace(stock_change=change)
        tx.links.put(outgoing)
    if not chosen:
        return None
    chain = link.chain_after(outgoing.chain, (row.leaf for row in chosen))
    outgoing = outgoing._replace(number=number + len(chosen), chain=chain)
    head = _sign_head(tx, ctx, outgoing)
    tx.links.put(outgoing)
    tx.links.add_head(head)
    return _batch(head, chosen), outgoing.number


def _sign_head(tx: Transaction, ctx: Context, outgoing: LinkRow) -> HeadRow:
    signer = cards.signer_for(tx, ctx, outgoing.partner_id)
    head = wire.encode(
        link.BatchHead(
            link_id=outgoing.link_id,
            sender=tx.partners.own().partner_id,
            receiver=outgoing.partner_id,
            epoch=outgoing.epoch,
            number=outgoing.number,
            chain=outgoing.chain,
            key_id=signer.key_id,
            signed_at=ctx.now(),
        )
    )
    return HeadRow(
        partner_id=outgoing.partner_id,
        direction="out",
        epoch=outgoing.epoch,
        number=outgoing.number,
        chain=outgoing.chain,
        head=head,
        signature=signer.sign(link.BATCH_DOMAIN + head),
    )


def _batch(head: HeadRow, rows: list[DocumentRow]) -> link.Batch:
    entries = tuple(
        link.BatchEntry(
            type=row.type,
            salt=row.salt,
            body=row.body or b"",
            personal_salt=row.personal_salt,
            personal=row.personal or b"",
        )
        for row in rows
    )
    return link.Batch(head=head.head, signature=head.signature, entries=entries)


def take_receipt(tx: Transaction, ctx: Context, partner_id: str, receipt: link.Receipt) -> Refusal | None:
    """Verify the partner's receipt and store what became of our documents; None when all is well."""
    outgoing = link_row(tx, partner_id, "out")
    try:
        body = wire.decode(link.ReceiptBody, receipt.body)
        known = tx.links.receipt_at(partner_id, "out", outgoing.epoch, body.sequence)
        if known is not None and known.body == receipt.body:
            return None
        _verify_receipt(tx, ctx, outgoing, receipt, body)
        told = outcomes.named_by(tx, outgoing, body)
    except link.LinkFault as fault:
        return stop(tx, partner_id, fault) if fault.kind == "fork" else Refusal(fault.kind, fault.text)
    except RefusedError as error:
        return Refusal(error.code, error.message)
    sha256 = hashlib.sha256(receipt.body).digest()
    tx.links.add_receipt(
        ReceiptRow(
            partner_id=partner_id,
            direction="out",
            epoch=outgoing.epoch,
            sequence=body.sequence,
            number=body.number,
            body=receipt.body,
            signature=receipt.signature,
            sha256=sha256,
            given_at=ctx.now_micros(),
        )
    )
    tx.links.put(outgoing._replace(receipted_number=body.number, receipt_sequence=body.sequence, receipt_sha256=sha256))
    outcomes.receipted(tx, ctx, outgoing, body, told)  # may move the link back, to tell our stock anew
    return None


def _verify_receipt(
    tx: Transaction, ctx: Context, outgoing: LinkRow, receipt: link.Receipt, body: link.ReceiptBody
) -> None:
    own = tx.partners.own().partner_id
    expected = (outgoing.link_id, own, outgoing.partner_id, outgoing.epoch)
    if (body.link_id, body.sender, body.receiver, body.epoch) != expected:
        raise RefusedError("this receipt belongs to another link, direction or epoch", code="wrong-address")
    keys = [key for key in cards.keys_in_force(tx, outgoing.partner_id) if key.key_id == body.key_id]
    if not keys:
        raise RefusedError(f"key {body.key_id} is on no card of the partner's", code="unknown-key")
    if not any(ctx.verify(key.public_key, receipt.signature, link.RECEIPT_DOMAIN + receipt.body) for key in keys):
        raise RefusedError(f"the signature by key {body.key_id} does not fit this receipt", code="bad-signature")
    if body.sequence <= outgoing.receipt_sequence:
        raise link.LinkFault("fork", f"two different receipts with sequence {body.sequence}")
    if body.sequence != outgoing.receipt_sequence + 1:
        text = f"we hold receipts up to {outgoing.receipt_sequence}, this one is {body.sequence}"
        raise link.LinkFault("gap", text)
    if body.previous_sha256 != outgoing.receipt_sha256:
        raise link.LinkFault("fork", f"receipt {body.sequence} does not follow from the one before")
    if not outgoing.receipted_number <= body.number <= outgoing.number:
        text = f"a receipt for number {body.number}, between {outgoing.receipted_number} and {outgoing.number} expected"
        raise link.LinkFault("broken", text)
    if chain_at(tx, outgoing, body.number) != body.chain:
        raise link.LinkFault("fork", f"a receipt for another head at number {body.number}")
    if len(body.outcomes) > OUTCOMES_MAX:
        raise RefusedError(f"{len(body.outcomes)} outcomes; at most {OUTCOMES_MAX} are read", code="too-large")
    for one, following in pairwise(body.outcomes):
        if one.number >= following.number:
            raise link.LinkFault("broken", "outcomes are not in the order of their numbers")
