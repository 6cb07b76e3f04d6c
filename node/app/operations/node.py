"""Operations on the node as a whole: its status, and what of its settings cannot be used."""

from __future__ import annotations

from typing import Any

from node import wire
from node.app import advice
from node.app.operations.registry import Host, operation
from node.core.rows import DocumentRow, HandoverRow, LinkRow, PartnerRow
from node.ports import Transaction

__all__ = ["moment", "unusable_files"]

STUCK_MAX = 20
"""Stuck documents that a status names."""


def moment(at: int | None) -> str:
    """An instant of the store as ISO 8601 in UTC; "" for none."""
    return "" if at is None else wire.instant(at).isoformat(timespec="seconds").replace("+00:00", "Z")


def unusable_files(host: Host) -> list[dict[str, str]]:
    """The rules and rates that cannot be used as they are now, with what holds meanwhile and what to do."""
    return [one._asdict() for one in advice.unusable(host.ctx.settings)]


@operation("status")
def status(host: Host) -> dict[str, Any]:
    """Who is connected, what waits, what is stuck."""
    sessions = {str(one["partner"]): one for one in (host.live.sessions() if host.live else [])}
    found = host.store.read(lambda tx: _status(tx, sessions))
    cursors = host.store.read(lambda tx: {one.name: tx.settings.cursor(one.name) for one in host.ctx.settings.adapters})
    adapters = []
    for one in host.ctx.settings.adapters:
        row = cursors[one.name]
        started = row is not None and bool(row.confirmed)
        adapters.append(
            {
                "name": one.name,
                "kind": one.kind,
                "started": started,
                "pulled_at": moment(row.at if row and row.cursor else None),
            }
        )
    return {
        "running": host.live is not None,
        "at": moment(host.ctx.now_micros()),
        **found,
        "adapters": adapters,
        "unusable_files": unusable_files(host),
    }


def _status(tx: Transaction, sessions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    own = tx.partners.own()
    counts: dict[str, dict[str, int]] = {}
    for partner_id, direction, state, count in tx.documents.counts():
        counts.setdefault(partner_id, {})[f"{direction}.{state}"] = count
    links = {(row.partner_id, row.direction): row for row in tx.links.all()}
    partners = [_partner(row, counts.get(row.partner_id, {}), links, sessions) for row in tx.partners.all()]
    held = tx.documents.search(state="held", limit=STUCK_MAX)
    failed = tx.handovers.failed(STUCK_MAX)
    return {
        "id": own.partner_id,
        "name": own.name,
        "partners": partners,
        "handovers": tx.handovers.counts(),
        "stuck": [
            *(_stopped(row) for row in links.values() if row.state == "stopped"),
            *(_held(row) for row in held),
            *(_failed(row, tx.documents.get(row.document_id)) for row in failed),
        ],
    }


def _partner(
    row: PartnerRow,
    counts: dict[str, int],
    links: dict[tuple[str, str], LinkRow],
    sessions: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    outgoing, incoming = links.get((row.partner_id, "out")), links.get((row.partner_id, "in"))
    return {
        "id": row.partner_id,
        "name": row.name,
        "state": row.state,
        "usage": row.usage,
        "connected": row.partner_id in sessions,
        "last_seen_at": moment(row.last_seen_at),
        "waiting": counts.get("out.waiting", 0),
        "unreceipted": outgoing.number - outgoing.receipted_number if outgoing else 0,
        "sent": outgoing.number if outgoing else 0,
        "received": incoming.number if incoming else 0,
        "refused": counts.get("in.refused", 0),
        "refused_by_partner": counts.get("out.refused", 0),
        "held": counts.get("in.held", 0) + counts.get("out.held", 0),
    }


def _stopped(row: LinkRow) -> dict[str, Any]:
    return {
        "kind": "link",
        "partner": row.partner_id,
        "document": None,
        "what": f"link {row.direction}",
        "why": row.reason,
    }


def _held(row: DocumentRow) -> dict[str, Any]:
    return {
        "kind": "held",
        "partner": row.partner_id,
        "document": row.document_id,
        "what": f"{row.type} {row.doc_number}",
        "why": row.reasons,
    }


def _failed(row: HandoverRow, document: DocumentRow | None) -> dict[str, Any]:
    return {
        "kind": "handover",
        "partner": document.partner_id if document else "",
        "document": row.document_id,
        "what": f"{row.type} {document.doc_number if document else ''}".strip(),
        "why": row.error,
    }
