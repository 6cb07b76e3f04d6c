"""Where both directions of a link stand, what a refusal is, and when a link stops."""

from __future__ import annotations

from dataclasses import dataclass

from node.core import link
from node.core.document.common import Reason
from node.core.rows import LinkRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = [
    "Refusal",
    "chain_at",
    "link_row",
    "link_rows",
    "position_of",
    "receipt_hash_at",
    "resume",
    "stop",
    "stopped",
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the partner sent cannot be taken; the session ends with this reason. `stopped`: a human must look first."""

    code: str
    text: str
    stopped: bool = False

    def reason(self) -> Reason:
        """For the Goodbye frame."""
        return Reason(code=self.code, text=self.text, language="en")


def stop(tx: Transaction, partner_id: str, fault: link.LinkFault) -> Refusal:
    """Remember that the two accounts do not fit, where it is for us to stop; say what to do."""
    advice = {
        "fork": "This proves fraud or a grave error. The link stops; keep the database, export evidence, call them; "
        "`hansa partner resume` lets it try again once that is cleared up.",
        "restored-self": "This database was restored from an old copy, and numbering stops so that no number is given "
        "twice. Put back the newest copy of the database; do not delete anything.",
        "restored-partner": "The partner's database was restored from an old copy; the partner must put back the "
        "newest one. We wait; nothing is lost here.",
    }[fault.kind]
    text = f"{fault.text}. {advice}"
    if fault.kind == "restored-partner":
        return Refusal(fault.kind, text)
    for row in link_rows(tx, partner_id):
        tx.links.put(row._replace(state="stopped", reason=text))
    return Refusal(fault.kind, text, stopped=True)


def resume(tx: Transaction, partner_id: str) -> None:
    """Let a stopped link try again, after a human has cleared it up; what does not fit stops it again at once.

    Raises RefusedError ``unknown-partner`` or ``not-stopped``.
    """
    rows = link_rows(tx, partner_id)
    if all(row.state == "open" for row in rows):
        raise RefusedError(f"the link with {partner_id} is not stopped", code="not-stopped")
    for row in rows:
        tx.links.put(row._replace(state="open", reason=""))


def stopped(tx: Transaction, row: LinkRow) -> Refusal:
    """What a partner hears on a link that has stopped; one that was revoked does not hear why."""
    partner = tx.partners.get(row.partner_id)
    if partner is not None and partner.state == "revoked":
        return Refusal("revoked", "this partner is no longer dealt with", stopped=True)
    return Refusal("link-stopped", row.reason, stopped=True)


def link_row(tx: Transaction, partner_id: str, direction: str) -> LinkRow:
    row = tx.links.get(partner_id, direction)
    if row is None:
        raise RefusedError(f"there is no link with {partner_id}", code="unknown-partner", hint="Add the partner first.")
    return row


def link_rows(tx: Transaction, partner_id: str) -> tuple[LinkRow, LinkRow]:
    return link_row(tx, partner_id, "out"), link_row(tx, partner_id, "in")


def position_of(row: LinkRow) -> link.Position:
    return link.Position(
        epoch=row.epoch,
        number=row.number,
        chain=row.chain,
        receipt_sequence=row.receipt_sequence,
        receipt_sha256=row.receipt_sha256,
        oldest_number=row.oldest_number,
    )


def chain_at(tx: Transaction, row: LinkRow, number: int) -> bytes | None:
    """Our own chain value at a number where a batch ended (or 0), if we have it."""
    if number == row.number:
        return row.chain
    if number == 0:
        own = tx.partners.own().partner_id
        sender, receiver = (own, row.partner_id) if row.direction == "out" else (row.partner_id, own)
        return link.chain_start(row.link_id, sender, receiver, row.epoch)
    head = tx.links.head_at(row.partner_id, row.direction, row.epoch, number)
    return head.chain if head else None


def receipt_hash_at(tx: Transaction, incoming: LinkRow, sequence: int) -> bytes | None:
    if sequence == 0:
        return b""
    row = tx.links.receipt_at(incoming.partner_id, "in", incoming.epoch, sequence)
    return row.sha256 if row else None
