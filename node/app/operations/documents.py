"""Operations on documents: list, show, and decide on those that wait for a human."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from node import wire
from node.app.documents import submit
from node.app.links import evidence, exchange
from node.app.operations.node import moment
from node.app.operations.registry import Host, operation
from node.app.systems import erp
from node.core import card
from node.core.document import DOCUMENTS
from node.core.rows import DocumentRow
from node.errors import ConfigError, RefusedError
from node.ports import Transaction

__all__ = ["summary"]

LIMIT_MAX = 1_000
_PROTOCOL = {
    "PartnerCard": card.SignedCard,
    "CardConfirmation": card.CardConfirmation,
    "GoLive": card.GoLive,
    "Revocation": card.Revocation,
}


def summary(tx: Transaction, rows: Sequence[DocumentRow]) -> list[dict[str, Any]]:
    """Documents as lists show them."""
    names = {partner.partner_id: partner.name for partner in tx.partners.all()}
    return [{**_fields_of(row), "partner_name": names.get(row.partner_id, "")} for row in rows]


def _fields_of(row: DocumentRow) -> dict[str, Any]:
    return {
        "id": row.document_id,
        "partner": row.partner_id,
        "direction": row.direction,
        "epoch": row.epoch,
        "link_number": row.number,
        "type": row.type,
        "number": row.doc_number,
        "series": row.series,
        "revision": row.revision,
        "usage": row.usage,
        "state": row.state,
        "duplicate_of": row.duplicate_of,
        "reasons": json.loads(row.reasons) if row.reasons else [],
        "stored_at": moment(row.stored_at),
    }


@operation("documents.list")
def documents_list(
    host: Host,
    *,
    partner: str | None = None,
    direction: str | None = None,
    type: str | None = None,
    state: str | None = None,
    number: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Documents, newest first; `before` is the id of the last one of the page before."""
    if not 0 < limit <= LIMIT_MAX:
        raise RefusedError(f"limit: 1 to {LIMIT_MAX}", code="bad-argument")
    given = {"partner_id": partner, "direction": direction, "type": type, "state": state, "number": number}
    found = host.store.read(lambda tx: summary(tx, tx.documents.search(**given, before=before, limit=limit)))
    return {"documents": found, "more": len(found) == limit}


@operation("documents.show")
def documents_show(host: Host, *, document: int) -> dict[str, Any]:
    """One document with its fields, and where it stands on its way into our own system."""
    row, handover = host.store.read(lambda tx: (tx.documents.get(document), tx.handovers.get(document)))
    if row is None:
        raise RefusedError(
            f"there is no document {document}", code="unknown-document", hint="see: hansa documents list"
        )
    (told,) = host.store.read(lambda tx: summary(tx, [row]))
    told["valid_until"] = moment(row.valid_until)
    told["leaf"] = row.leaf.hex()
    told["bytes"] = len(row.body) if row.body is not None else None
    told["fields"] = _fields(row)
    if row.personal:
        told["personal_data_bytes"] = len(row.personal)
    if handover is not None:
        told["handover"] = {
            "state": handover.state,
            "attempts": handover.attempts,
            "next_at": moment(handover.next_at),
            "reference": handover.reference,
            "error": handover.error,
            "posted_at": moment(handover.posted_at),
        }
    return told


def _fields(row: DocumentRow) -> dict[str, Any] | None:
    """The document's fields; None once it is erased, or where its bytes cannot be read."""
    if row.body is None:
        return None
    try:
        if row.type in DOCUMENTS:
            return wire.to_fields(wire.decode_document(row.type, row.body))
        if row.type in _PROTOCOL:
            return wire.to_fields(wire.decode(_PROTOCOL[row.type], row.body))
    except wire.InvalidFieldsError:
        pass  # Held or refused because of this; the reasons say so.
    return None


@operation("documents.release")
def documents_release(host: Host, *, document: int, refuse: str | None = None) -> dict[str, Any]:
    """Take a held document after all, or refuse it with a reason; what waited behind it follows.

    A document that our own system would not take is handed over again, or given up.
    """
    handover = host.store.read(lambda tx: tx.handovers.get(document))
    if handover is not None and handover.state == "failed" and refuse is None:
        host.store.write(lambda tx: erp.retry(tx, host.ctx, document))
        return documents_show(host, document=document)
    if handover is not None and handover.state == "failed" and refuse is not None:
        host.store.write(lambda tx: erp.give_up(tx, host.ctx, document, refuse))
        return documents_show(host, document=document)
    woken = host.store.write(
        lambda tx: exchange.resolve_held(tx, host.ctx, document, take=refuse is None, reason=refuse or "")
    )
    if host.live is not None:
        host.live.wake(sorted(woken))
    return _one(host, document)


@operation("documents.withdraw")
def documents_withdraw(host: Host, *, document: int) -> dict[str, Any]:
    """Take back a document that has no link number yet; its effects are undone."""
    host.store.write(lambda tx: submit.withdraw(tx, host.ctx, document))
    return _one(host, document)


def _one(host: Host, document: int) -> dict[str, Any]:
    def query(tx: Transaction) -> dict[str, Any]:
        row = tx.documents.get(document)
        assert row is not None
        return summary(tx, [row])[0]

    return host.store.read(query)


@operation("evidence.export")
def evidence_export(
    host: Host, *, partner: str, out: str, documents: list[int] | None = None, personal: bool = False
) -> dict[str, Any]:
    """Write what proves the exchange with a partner into a new file; `documents` names those to be shown, else all."""
    shown = None if documents is None else frozenset(documents)
    data = host.store.read(
        lambda tx: evidence.export(
            tx, partner, disclose=lambda row: shown is None or row.document_id in shown, personal=personal
        )
    )
    try:
        with Path(out).open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise ConfigError(f"{out} is there already", hint="name a new file") from None
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}", hint="the node's user must be able to write there") from None
    return {"partner": partner, "file": out, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
