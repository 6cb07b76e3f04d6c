"""The outbox: documents wait here for their link number, in the order in which they may go."""

from __future__ import annotations

from node.app.context import Context
from node.core.link import leaf_of
from node.core.rows import DocumentRow
from node.ports import Transaction

__all__ = ["PRIORITIES", "SALT_BYTES", "enqueue_protocol", "priority_of"]

SALT_BYTES = 16
"""Bytes of randomness before each document in its leaf, so that an erased document cannot be guessed from its hash."""

PRIORITIES = {
    "PartnerCard": 0,
    "CardConfirmation": 0,
    "GoLive": 0,
    "Revocation": 0,
    "ReservationRequest": 1,
    "ReservationResponse": 1,
    "ReservationRelease": 1,
    "DisruptionNotice": 4,
    "InventoryReport": 9,
    "Forecast": 8,
    "ItemCatalogue": 8,
}
"""What goes first: keys, stock reservations, everything else that binds (5), plans and catalogues, figures last."""


def priority_of(document_type: str) -> int:
    """The priority of a type of document; lower goes first."""
    return PRIORITIES.get(document_type, 5)


def enqueue_protocol(tx: Transaction, ctx: Context, partner_id: str, document_type: str, body: bytes) -> int:
    """Let a card, confirmation, agreement or revocation wait for its number; returns its document id."""
    own = tx.partners.own()
    document_id = tx.documents.next_ids(1)
    salt = ctx.random.token(SALT_BYTES)
    row = DocumentRow(
        document_id=document_id,
        partner_id=partner_id,
        direction="out",
        epoch=None,
        number=None,
        type=document_type,
        issuer=own.partner_id,
        unit="",
        doc_number=str(document_id),
        series="",
        revision=0,
        usage="PRODUCTION",
        state="waiting",
        duplicate_of=None,
        priority=priority_of(document_type),
        object_key=document_type,
        salt=salt,
        body=body,
        personal_salt=b"",
        personal=b"",
        leaf=leaf_of(salt, document_type, body),
        reasons="",
        stored_at=ctx.now_micros(),
        valid_until=None,
    )
    tx.documents.add([row])
    return document_id
