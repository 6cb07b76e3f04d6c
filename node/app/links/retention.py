"""Retention and erasure: bytes go when their time is over, personal data sooner; the hashes stay, so evidence verifies.

What is erased is only what both sides are done with: a document that waits, is in doubt or held is never touched. An
erased document leaves its leaf, and a database restored from a copy erases again at the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from node.app.context import Context
from node.core.document import DOCUMENTS
from node.core.rows import DocumentRow
from node.ports import Store, Transaction

__all__ = ["Archive", "Erased", "run"]

ERASED_AT_ONCE = 100
_DAY_MICROS = 86_400_000_000

Archive = Callable[[Sequence[DocumentRow]], None]
"""Keeps documents elsewhere; returns only when they are safely there. Raises UnavailableError."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How many documents lost their bytes, and how many only the personal data beside them."""

    documents: int
    personal: int


def run(store: Store, ctx: Context, archive: Archive | None = None) -> Erased:
    """Erase everything that is due, in bounded transactions; with an archive, only what it has taken over."""
    retention = ctx.settings.retention
    now = ctx.now_micros()
    documents = 0
    for days, types in sorted(_types_by_days(ctx).items()):
        documents += _erase_all(store, types, now - days * _DAY_MICROS, archive, personal_only=False)
    before = now - retention.personal_days * _DAY_MICROS
    personal = _erase_all(store, sorted(DOCUMENTS), before, None, personal_only=True)
    return Erased(documents, personal)


def _types_by_days(ctx: Context) -> dict[int, list[str]]:
    """Document types by how long they are kept. Cards and what belongs to them prove who signed, and are kept."""
    retention = ctx.settings.retention
    found: dict[int, list[str]] = {}
    for document_type in DOCUMENTS:
        usual = retention.stock_days if document_type == "InventoryReport" else retention.default_days
        found.setdefault(retention.days.get(document_type, usual), []).append(document_type)
    return found


def _erase_all(
    store: Store, types: Sequence[str], stored_before: int, archive: Archive | None, *, personal_only: bool
) -> int:
    erased = 0
    while True:
        rows = store.read(partial(_due, types=types, stored_before=stored_before, personal_only=personal_only))
        if not rows:
            return erased
        if archive is not None:
            # Consumers' data would outlive its days there.
            archive([row._replace(personal=b"", personal_salt=b"") for row in rows])
        ids = [row.document_id for row in rows]
        store.write(partial(_erase, ids=ids, personal_only=personal_only))
        erased += len(rows)


def _due(tx: Transaction, *, types: Sequence[str], stored_before: int, personal_only: bool) -> list[DocumentRow]:
    ids = tx.documents.erasable(types, stored_before, personal_only=personal_only, limit=ERASED_AT_ONCE)
    return [row for row in map(tx.documents.get, ids) if row is not None]


def _erase(tx: Transaction, *, ids: Sequence[int], personal_only: bool) -> None:
    rows = [row for row in map(tx.documents.get, ids) if row is not None]
    tx.documents.erase(ids, personal_only=personal_only)
    if personal_only:
        return
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.number is not None:
            place = (row.partner_id, row.direction)
            last[place] = max(last.get(place, 0), row.number)
    for (partner_id, direction), number in last.items():
        link = tx.links.get(partner_id, direction)
        if link is not None and link.oldest_number <= number:
            tx.links.put(link._replace(oldest_number=number + 1))
