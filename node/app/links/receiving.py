"""Receiving, in numbered steps, the same here as in node/README.md.

1 limits, 2 head, 3 key, 4 position, 5 signature, 6 leaves and chain; then each document goes through the gate and has
its effects (`node.app.documents.effects`); 7 all of it in one transaction, with the receipt; 8 the receipt leaves.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from node import wire
from node.app.context import Context
from node.app.documents import effects
from node.app.links import cards
from node.app.links.positions import Refusal, link_row, stop, stopped
from node.core import link
from node.core.rows import HeadRow, LinkRow, ReceiptRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["RECEIPTS_RESENT_MAX", "Taken", "receipts_after", "resolve_held", "take_batch"]

RECEIPTS_RESENT_MAX = 10_000
"""Receipts that a partner may be behind; each names only what was not simply taken, so this is days of traffic."""

REASONS_BYTES_MAX = 1_048_576
"""Reasons that one receipt carries; what is over is left out, and the outcomes alone are told."""

REASON_TEXT_MAX = 500
"""Characters of one reason."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch is stored: the receipt to send, whether the ERP has something to take over, and partners to wake."""

    receipt: link.Receipt
    documents: int
    handed_over: bool
    wake: frozenset[str]
    cards_changed: bool


def take_batch(tx: Transaction, ctx: Context, partner_id: str, batch: link.Batch) -> Taken | Refusal:
    """Verify a batch, store it with its effects, and give the receipt; a batch taken before gets its receipt again."""
    incoming = link_row(tx, partner_id, "in")
    if incoming.state == "stopped":
        return stopped(tx, incoming)
    try:
        entries, head = _verify(tx, ctx, incoming, batch)
    except link.LinkFault as fault:
        return stop(tx, partner_id, fault) if fault.kind == "fork" else Refusal(fault.kind, fault.text)
    except RefusedError as error:
        return Refusal(error.code, error.message)
    if not entries:
        return Taken(_last_receipt(tx, incoming), 0, False, frozenset(), False)
    result = effects.take(tx, ctx, partner_id, incoming, entries)
    tx.links.add_head(
        HeadRow(partner_id, "in", incoming.epoch, head.number, head.chain, head=batch.head, signature=batch.signature)
    )
    outcomes = tuple(result.outcomes)
    receipt, incoming = _give_receipt(tx, ctx, incoming._replace(number=head.number, chain=head.chain), outcomes)
    tx.links.put(incoming)
    return Taken(receipt, len(entries), result.handed_over, frozenset(result.wake), result.cards_changed)


def _verify(
    tx: Transaction, ctx: Context, incoming: LinkRow, batch: link.Batch
) -> tuple[list[effects.Entry], link.BatchHead]:
    """Steps 1 to 6. Returns the entries that are new, with their numbers and leaves."""
    entries_max = ctx.settings.limits.batch_documents_accepted
    if not 0 < len(batch.entries) <= entries_max:  # 1 limits
        text = f"a batch of {len(batch.entries)} documents; 1 to {entries_max} are taken"
        raise RefusedError(text, code="too-large")
    head = wire.decode(link.BatchHead, batch.head)  # 2 head
    expected = (incoming.link_id, incoming.partner_id, tx.partners.own().partner_id, incoming.epoch)
    if (head.link_id, head.sender, head.receiver, head.epoch) != expected:
        raise RefusedError("this batch belongs to another link, direction or epoch", code="wrong-address")
    first = head.number - len(batch.entries) + 1
    key = _key_for(tx, ctx, incoming, head)  # 3 key
    if first > incoming.number + 1:  # 4 position
        raise link.LinkFault("gap", f"we hold documents up to {incoming.number}, this batch begins with {first}")
    if first < 1:
        raise link.LinkFault("broken", f"a batch of {len(batch.entries)} documents cannot end with {head.number}")
    if not ctx.verify(key, batch.signature, link.BATCH_DOMAIN + batch.head):  # 5 signature
        raise RefusedError(f"the signature by key {head.key_id} does not fit this batch", code="bad-signature")
    if head.number <= incoming.number:
        known = tx.links.head_at(incoming.partner_id, "in", incoming.epoch, head.number)
        if known is not None and known.chain != head.chain:
            raise link.LinkFault("fork", f"two different heads at number {head.number}")
        return [], head
    fresh = batch.entries[incoming.number + 1 - first :]
    entries = [
        effects.Entry(number, entry, link.leaf_of(entry.salt, entry.type, entry.body))  # 6 leaves and chain
        for number, entry in enumerate(fresh, start=incoming.number + 1)
    ]
    if link.chain_after(incoming.chain, (entry.leaf for entry in entries)) != head.chain:
        raise link.LinkFault("broken", f"the documents do not lead from our head {incoming.number} to {head.number}")
    return entries, head


def _key_for(tx: Transaction, ctx: Context, incoming: LinkRow, head: link.BatchHead) -> bytes:
    """The partner's public key, if it was in force before this batch and reaches to its end."""
    for key in cards.keys_in_force(tx, incoming.partner_id):
        if key.key_id != head.key_id or key.from_number > incoming.number:
            continue
        if key.until_number is not None and head.number > key.until_number:
            text = (
                f"key {head.key_id} speaks only up to number {key.until_number}; sign with the key of the newest card"
            )
            raise RefusedError(text, code="revoked-key")
        if key.not_after is not None and ctx.now() > key.not_after:
            text = f"key {head.key_id} expired at {key.not_after.isoformat()}; send a new card signed by a valid key"
            raise RefusedError(text, code="expired-key")
        return key.public_key
    raise RefusedError(f"key {head.key_id} is on no card of {incoming.partner_id}'s that we hold", code="unknown-key")


def _give_receipt(
    tx: Transaction, ctx: Context, incoming: LinkRow, outcomes: tuple[link.DocumentOutcome, ...]
) -> tuple[link.Receipt, LinkRow]:
    signer = cards.signer_for(tx, ctx, incoming.partner_id)
    now = ctx.now()
    body = wire.encode(
        link.ReceiptBody(
            link_id=incoming.link_id,
            sender=incoming.partner_id,
            receiver=tx.partners.own().partner_id,
            epoch=incoming.epoch,
            sequence=incoming.receipt_sequence + 1,
            previous_sha256=incoming.receipt_sha256,
            number=incoming.number,
            chain=incoming.chain,
            outcomes=_bounded(outcomes),
            given_at=now,
            key_id=signer.key_id,
        )
    )
    sha256 = hashlib.sha256(body).digest()
    row = ReceiptRow(
        partner_id=incoming.partner_id,
        direction="in",
        epoch=incoming.epoch,
        sequence=incoming.receipt_sequence + 1,
        number=incoming.number,
        body=body,
        signature=signer.sign(link.RECEIPT_DOMAIN + body),
        sha256=sha256,
        given_at=wire.micros(now),
    )
    tx.links.add_receipt(row)
    moved = incoming._replace(
        receipted_number=incoming.number, receipt_sequence=row.sequence, receipt_sha256=row.sha256
    )
    return link.Receipt(body=row.body, signature=row.signature), moved


def _bounded(outcomes: tuple[link.DocumentOutcome, ...]) -> tuple[link.DocumentOutcome, ...]:
    """The outcomes with as many reasons as a receipt has room for; one that fits no frame could never arrive."""
    room = REASONS_BYTES_MAX
    kept = []
    for outcome in outcomes:
        reasons = []
        for reason in outcome.reasons:
            told = replace(reason, text=reason.text[:REASON_TEXT_MAX])
            room -= len(wire.encode(told))
            if room > 0:
                reasons.append(told)
        kept.append(replace(outcome, reasons=tuple(reasons)))
    return tuple(kept)


def _last_receipt(tx: Transaction, incoming: LinkRow) -> link.Receipt:
    row = tx.links.receipt_at(incoming.partner_id, "in", incoming.epoch, incoming.receipt_sequence)
    assert row is not None, "a head that was taken always has a receipt"
    return link.Receipt(body=row.body, signature=row.signature)


def resolve_held(tx: Transaction, ctx: Context, document_id: int, *, take: bool, reason: str) -> frozenset[str]:
    """A human decides on a held document: its effects happen now, or it is refused; what waited behind it follows.

    The outcome goes to the sender in a receipt of its own. Returns partners to wake. Raises RefusedError.
    """
    row = tx.documents.get(document_id)
    if row is None or row.state != "held" or row.direction != "in":
        raise RefusedError(f"document {document_id} is not held", code="not-held", hint="See `hansa documents list`.")
    incoming = link_row(tx, row.partner_id, "in")
    result = effects.resolve(tx, ctx, row, take=take, reason=reason)
    _, incoming = _give_receipt(tx, ctx, incoming, tuple(result.outcomes))
    tx.links.put(incoming)
    return frozenset({row.partner_id, *result.wake})


def receipts_after(tx: Transaction, partner_id: str, sequence: int) -> list[tuple[int, link.Receipt]]:
    """Receipts we have given after `sequence`, for a live session to send (resolutions make receipts of their own)."""
    incoming = link_row(tx, partner_id, "in")
    rows = tx.links.receipts_after(partner_id, "in", incoming.epoch, sequence, RECEIPTS_RESENT_MAX)
    return [(row.sequence, link.Receipt(body=row.body, signature=row.signature)) for row in rows]
