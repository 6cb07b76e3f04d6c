"""The link's use cases: hello, batches and receipts, each in one transaction.

Sending: a document gets its number when a batch is formed, inside a session whose hello has confirmed our head, and the
number is committed before the batch leaves. Receiving goes in numbered steps, the same here as in node/README.md:
1 limits, 2 head, 3 key, 4 position, 5 signature, 6 leaves and chain, then each document through the gate and its
effects (`node.app.effects`), 7 bytes, effects, hand-over and receipt in one transaction, 8 after it, the receipt leaves.

A refusal is a value, not an exception, so that what is to be remembered about it is committed with it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise

from node import wire
from node.app import cards, effects, inventory
from node.app.context import Context
from node.app.identity import SOFTWARE, TAKES, UNDERSTANDS
from node.core import link
from node.core.document.common import Reason
from node.core.rows import DocumentRow, HeadRow, LinkRow, ReceiptRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = [
    "Opening",
    "Refusal",
    "Taken",
    "answer",
    "hello",
    "next_batch",
    "open_session",
    "receipts_after",
    "resolve_held",
    "take_batch",
    "take_receipt",
]

RECEIPTS_RESENT_MAX = 10_000
"""Receipts that a partner may be behind; each names only what was not simply taken, so this is days of traffic."""

STOCK_SHARE = 8
"""One part in so many of a batch is kept for stock when stock is waiting, so that orders never starve it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A session may go on: documents after `resume_after` are to be sent, and these receipts again before them."""

    resume_after: int
    receipts: tuple[link.Receipt, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the partner sent cannot be taken; the session ends with this reason. `stopped`: a human must look first."""

    code: str
    text: str
    stopped: bool = False

    def reason(self) -> Reason:
        """For the Goodbye frame."""
        return Reason(code=self.code, text=self.text, language="en")


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch is stored: the receipt to send, whether the ERP has something to take over, and partners to wake."""

    receipt: link.Receipt
    documents: int
    handed_over: bool
    wake: frozenset[str]
    cards_changed: bool


def hello(tx: Transaction, ctx: Context, partner_id: str) -> link.Hello:
    """What we say first on a stream with this partner."""
    outgoing, incoming = _links(tx, partner_id)
    cards = tx.partners.cards(tx.partners.own().partner_id)
    return link.Hello(
        versions=(link.WIRE_VERSION,),
        link_id=outgoing.link_id,
        sender=tx.partners.own().partner_id,
        receiver=partner_id,
        outgoing=_position(outgoing),
        incoming=_position(incoming),
        accepts=TAKES,
        card_sha256=cards[-1].sha256,
        sent_at=ctx.now(),
        software=SOFTWARE,
        understands=tuple(sorted(UNDERSTANDS)),
    )


def open_session(tx: Transaction, ctx: Context, partner_id: str, theirs: link.Hello) -> Opening | Refusal:
    """Compare both accounts of both directions; only then may anything be numbered or sent again."""
    outgoing, incoming = _links(tx, partner_id)
    if refusal := _check_hello(tx, partner_id, outgoing, theirs):
        return refusal
    _remember_hello(tx, ctx, partner_id, theirs)
    for row in (outgoing, incoming):
        if row.state == "stopped":
            return Refusal("link-stopped", row.reason, stopped=True)
    sent, given = theirs.outgoing or link.Position(), theirs.incoming or link.Position()
    try:
        link.compare_outgoing(_position(outgoing), given, _chain_at(tx, outgoing, given.number))
        link.compare_incoming(_position(incoming), sent, _receipt_hash_at(tx, incoming, sent.receipt_sequence))
    except link.LinkFault as fault:
        return _stop(tx, partner_id, fault)
    rows = tx.links.receipts_after(partner_id, "in", incoming.epoch, sent.receipt_sequence, RECEIPTS_RESENT_MAX)
    return Opening(given.number, tuple(link.Receipt(body=row.body, signature=row.signature) for row in rows))


def _check_hello(tx: Transaction, partner_id: str, outgoing: LinkRow, theirs: link.Hello) -> Refusal | None:
    own = tx.partners.own().partner_id
    if link.WIRE_VERSION not in theirs.versions:
        text = f"we speak wire version {link.WIRE_VERSION}, the partner {list(theirs.versions)}; one side must upgrade"
        return Refusal("unknown-version", text)
    if theirs.sender != partner_id or theirs.receiver != own:
        text = f"this hello is from {theirs.sender!r} to {theirs.receiver!r}, not from {partner_id!r} to {own!r}"
        return Refusal("wrong-address", text)
    if theirs.link_id != outgoing.link_id:
        text = "the link id differs: one side holds another first card of the other; compare fingerprints again"
        return Refusal("wrong-link", text)
    return None


def _remember_hello(tx: Transaction, ctx: Context, partner_id: str, theirs: link.Hello) -> None:
    partner = tx.partners.get(partner_id)
    assert partner is not None
    said = {
        "accepts": list(theirs.accepts),
        "understands": list(theirs.understands),
        "software": theirs.software[:100],
    }
    tx.partners.put(partner._replace(last_seen_at=ctx.now_micros(), last_hello=json.dumps(said)))


def _stop(tx: Transaction, partner_id: str, fault: link.LinkFault) -> Refusal:
    """Remember that the two accounts do not fit, where it is for us to stop; say what to do."""
    advice = {
        "fork": "This proves fraud or a grave error. The link stops; keep the database, export evidence, call them.",
        "restored-self": "This database was restored from an old copy, and numbering stops so that no number is given "
        "twice. Put back the newest copy of the database; do not delete anything.",
        "restored-partner": "The partner's database was restored from an old copy; the partner must put back the "
        "newest one. We wait; nothing is lost here.",
    }[fault.kind]
    text = f"{fault.text}. {advice}"
    if fault.kind == "restored-partner":
        return Refusal(fault.kind, text)
    for row in _links(tx, partner_id):
        tx.links.put(row._replace(state="stopped", reason=text))
    return Refusal(fault.kind, text, stopped=True)


# --- sending ----------------------------------------------------------------------------------------------------------


def next_batch(tx: Transaction, ctx: Context, partner_id: str, after: int) -> tuple[link.Batch, int] | None:
    """The batch after number `after`: one that was formed before, or a new one; None when nothing waits.

    May be called only inside a session that `open_session` has opened.
    """
    outgoing = _link(tx, partner_id, "out")
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
    waiting = tx.documents.waiting(
        partner_id, limits.batch_documents, ctx.now_micros() - limits.aged_seconds * 1_000_000
    )
    chosen: list[DocumentRow] = []
    size = 0
    for row in waiting:
        size += len(row.body or b"") + len(row.personal or b"")
        if chosen and size > budget:
            break
        chosen.append(row)
    number = outgoing.number
    numbered = [
        row._replace(epoch=outgoing.epoch, number=number + offset, state="sent")
        for offset, row in enumerate(chosen, start=1)
    ]
    tx.documents.number([(outgoing.epoch, number + i, row.document_id) for i, row in enumerate(chosen, start=1)])
    if stock_waits:
        room = limits.batch_bytes - size if len(chosen) == len(waiting) else limits.batch_bytes // STOCK_SHARE
        reports, change = inventory.stock_reports(tx, ctx, outgoing, number + len(numbered), max(room, 1))
        tx.documents.add(reports)
        numbered.extend(reports)
        outgoing = outgoing._replace(stock_change=change)
        tx.links.put(outgoing)
    if not numbered:
        return None
    chain = link.chain_after(outgoing.chain, (row.leaf for row in numbered))
    outgoing = outgoing._replace(number=number + len(numbered), chain=chain)
    head = _sign_head(tx, ctx, outgoing)
    tx.links.put(outgoing)
    tx.links.add_head(head)
    return _batch(head, numbered), outgoing.number


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


# --- receiving --------------------------------------------------------------------------------------------------------


def take_batch(tx: Transaction, ctx: Context, partner_id: str, batch: link.Batch) -> Taken | Refusal:
    """Verify a batch, store it with its effects, and give the receipt; a batch taken before gets its receipt again."""
    incoming = _link(tx, partner_id, "in")
    try:
        entries, head = _verify(tx, ctx, incoming, batch)
    except link.LinkFault as fault:
        return _stop(tx, partner_id, fault) if fault.kind == "fork" else Refusal(fault.kind, fault.text)
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
            outcomes=outcomes,
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
    incoming = _link(tx, row.partner_id, "in")
    result = effects.resolve(tx, ctx, row, take=take, reason=reason)
    _, incoming = _give_receipt(tx, ctx, incoming, tuple(result.outcomes))
    tx.links.put(incoming)
    return frozenset({row.partner_id, *result.wake})


def receipts_after(tx: Transaction, partner_id: str, sequence: int) -> list[tuple[int, link.Receipt]]:
    """Receipts we have given after `sequence`, for a live session to send (resolutions make receipts of their own)."""
    incoming = _link(tx, partner_id, "in")
    rows = tx.links.receipts_after(partner_id, "in", incoming.epoch, sequence, RECEIPTS_RESENT_MAX)
    return [(row.sequence, link.Receipt(body=row.body, signature=row.signature)) for row in rows]


def take_receipt(tx: Transaction, ctx: Context, partner_id: str, receipt: link.Receipt) -> Refusal | None:
    """Verify the partner's receipt and store what became of our documents; None when all is well."""
    outgoing = _link(tx, partner_id, "out")
    try:
        body = wire.decode(link.ReceiptBody, receipt.body)
        known = tx.links.receipt_at(partner_id, "out", outgoing.epoch, body.sequence)
        if known is not None and known.body == receipt.body:
            return None
        _verify_receipt(tx, ctx, outgoing, receipt, body)
    except link.LinkFault as fault:
        return _stop(tx, partner_id, fault) if fault.kind == "fork" else Refusal(fault.kind, fault.text)
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
    effects.receipted(tx, ctx, outgoing, body)
    tx.links.put(outgoing._replace(receipted_number=body.number, receipt_sequence=body.sequence, receipt_sha256=sha256))
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
    if _chain_at(tx, outgoing, body.number) != body.chain:
        raise link.LinkFault("fork", f"a receipt for another head at number {body.number}")
    for one, following in pairwise(body.outcomes):
        if one.number >= following.number:
            raise link.LinkFault("broken", "outcomes are not in the order of their numbers")


# --- positions --------------------------------------------------------------------------------------------------------


def _link(tx: Transaction, partner_id: str, direction: str) -> LinkRow:
    row = tx.links.get(partner_id, direction)
    if row is None:
        raise RefusedError(f"there is no link with {partner_id}", code="unknown-partner", hint="Add the partner first.")
    return row


def _links(tx: Transaction, partner_id: str) -> tuple[LinkRow, LinkRow]:
    return _link(tx, partner_id, "out"), _link(tx, partner_id, "in")


def _position(row: LinkRow) -> link.Position:
    return link.Position(
        epoch=row.epoch,
        number=row.number,
        chain=row.chain,
        receipt_sequence=row.receipt_sequence,
        receipt_sha256=row.receipt_sha256,
        oldest_number=row.oldest_number,
    )


def _chain_at(tx: Transaction, row: LinkRow, number: int) -> bytes | None:
    """Our own chain value at a number where a batch ended (or 0), if we have it."""
    if number == row.number:
        return row.chain
    if number == 0:
        own = tx.partners.own().partner_id
        sender, receiver = (own, row.partner_id) if row.direction == "out" else (row.partner_id, own)
        return link.chain_start(row.link_id, sender, receiver, row.epoch)
    head = tx.links.head_at(row.partner_id, row.direction, row.epoch, number)
    return head.chain if head else None


def _receipt_hash_at(tx: Transaction, incoming: LinkRow, sequence: int) -> bytes | None:
    if sequence == 0:
        return b""
    row = tx.links.receipt_at(incoming.partner_id, "in", incoming.epoch, sequence)
    return row.sha256 if row else None


# --- queries ----------------------------------------------------------------------------------------------------------


def answer(tx: Transaction, ctx: Context, partner_id: str, query: link.Query) -> link.Answer:
    """Answer a partner's question from our own stock, under its sharing rules. Raises RefusedError."""
    partner = tx.partners.get(partner_id)
    if query.availability is None:
        raise RefusedError("this kind of question is not known here", code="unknown-query")
    if partner is None or partner.state != "confirmed":
        raise RefusedError("the cards are not confirmed by both sides yet", code="not-confirmed")
    told = inventory.answer(tx, ctx, partner_id, query.availability)
    return link.Answer(id=query.id, availability=told)
