"""The link's use cases, each one transaction: hello and the opening of a session, batches, receipts and answers.

A refusal is a value, not an exception, so that what is to be remembered about it is committed with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from node.app.context import Context
from node.app.documents.identity import SOFTWARE, TAKES, UNDERSTANDS
from node.app.links.positions import Refusal, chain_at, link_rows, position_of, receipt_hash_at, stop, stopped
from node.app.links.receiving import RECEIPTS_RESENT_MAX, Taken, receipts_after, resolve_held, take_batch
from node.app.links.sending import next_batch, take_receipt
from node.app.stock import availability
from node.core import link
from node.core.rows import LinkRow
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

NAMES_MAX = 100
"""Document types, and semantics, that are remembered of a hello."""

NAME_LENGTH_MAX = 60
"""Characters of each."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A session may go on: documents after `resume_after` are to be sent, and these receipts again before them."""

    resume_after: int
    receipts: tuple[link.Receipt, ...]


def hello(tx: Transaction, ctx: Context, partner_id: str) -> link.Hello:
    """What we say first on a stream with this partner."""
    outgoing, incoming = link_rows(tx, partner_id)
    cards = tx.partners.cards(tx.partners.own().partner_id)
    return link.Hello(
        versions=(link.WIRE_VERSION,),
        link_id=outgoing.link_id,
        sender=tx.partners.own().partner_id,
        receiver=partner_id,
        outgoing=position_of(outgoing),
        incoming=position_of(incoming),
        accepts=TAKES,
        card_sha256=cards[-1].sha256,
        sent_at=ctx.now(),
        software=SOFTWARE,
        understands=tuple(sorted(UNDERSTANDS)),
    )


def open_session(tx: Transaction, ctx: Context, partner_id: str, theirs: link.Hello) -> Opening | Refusal:
    """Compare both accounts of both directions; only then may anything be numbered or sent again."""
    outgoing, incoming = link_rows(tx, partner_id)
    if refusal := _check_hello(tx, partner_id, outgoing, theirs):
        return refusal
    _remember_hello(tx, ctx, partner_id, theirs)
    for row in (outgoing, incoming):
        if row.state == "stopped":
            return stopped(tx, row)
    sent, given = theirs.outgoing or link.Position(), theirs.incoming or link.Position()
    try:
        link.compare_outgoing(position_of(outgoing), given, chain_at(tx, outgoing, given.number))
        link.compare_incoming(position_of(incoming), sent, receipt_hash_at(tx, incoming, sent.receipt_sequence))
    except link.LinkFault as fault:
        return stop(tx, partner_id, fault)
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
        "accepts": _names(theirs.accepts),
        "understands": _names(theirs.understands),
        "software": theirs.software[:100],
    }
    tx.partners.put(partner._replace(last_seen_at=ctx.now_micros(), last_hello=json.dumps(said)))


def _names(said: tuple[str, ...]) -> list[str]:
    """What is kept of a list of names: it is read again with every batch, and there are not many names."""
    return [name[:NAME_LENGTH_MAX] for name in said[:NAMES_MAX]]


def answer(tx: Transaction, ctx: Context, partner_id: str, query: link.Query) -> link.Answer:
    """Answer a partner's question from our own stock, under its sharing rules. Raises RefusedError."""
    partner = tx.partners.get(partner_id)
    if query.availability is None:
        raise RefusedError("this kind of question is not known here", code="unknown-query")
    if partner is None or partner.state != "confirmed":
        raise RefusedError("the cards are not confirmed by both sides yet", code="not-confirmed")
    told = availability.answer(tx, ctx, partner_id, query.availability)
    return link.Answer(id=query.id, availability=told)
