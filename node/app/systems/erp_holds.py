"""Holds that our ERP keeps too: which ones, and what it has to be told of them after each change on the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from node.app.context import Context
from node.config import AdapterSettings
from node.core import reservation, sharing
from node.core.reservation import Place
from node.core.reservation_rows import ErpHoldRow, ReservationRow
from node.core.rows import StockRow
from node.ports import Transaction

__all__ = ["keeper", "note"]


def keeper(ctx: Context, location: str) -> AdapterSettings | None:
    """The first of our systems that keeps holds on the stock of a location; None where none does."""
    for one in ctx.settings.adapters:
        if any(sharing.matches(pattern, location) for pattern in one.reserves):
            return one
    return None


def note(
    tx: Transaction,
    ctx: Context,
    rows: Iterable[ReservationRow],
    figures: Mapping[Place, StockRow],
    bound: Mapping[str, Sequence[str]],
) -> None:
    """Reservations changed on the ledger: let our ERP be told of it, in the transaction of the change.

    `bound` has the ids of those that stand or fall together, by the id of each.
    """
    if not any(one.reserves for one in ctx.settings.adapters):
        return
    rows = list(rows)
    known = tx.erp_holds.find([row.reservation_id for row in rows])
    now = ctx.now_micros()
    changed = []
    for row in rows:
        key = (row.reservation_id, row.partner_id, row.role)
        one = known.get(key) or _begun(ctx, row, figures, bound, now)
        if one is None:
            continue
        more = reservation.to_tell(row.state, one.told, longer=row.expires_at > one.until)
        waits = row.state == "pending" and one.told == "nothing"
        after = one._replace(next_at=now if more else 0, attempts=0, answer_by=one.answer_by if waits else 0)
        if after != known.get(key):
            changed.append(after)
    tx.erp_holds.put(changed)


def _begun(
    ctx: Context,
    row: ReservationRow,
    figures: Mapping[Place, StockRow],
    bound: Mapping[str, Sequence[str]],
    now: int,
) -> ErpHoldRow | None:
    """The ERP is to keep a new hold; what an order took up without one reaches it as the order."""
    keeps = keeper(ctx, sharing.location_of(row.location))
    figure = figures.get((row.item_key, row.location))
    begins = row.state == "pending" or (row.role == "own" and row.state == "granted")
    if keeps is None or figure is None or not begins or not row.held:
        return None
    return ErpHoldRow(
        reservation_id=row.reservation_id,
        partner_id=row.partner_id,
        role=row.role,
        adapter=keeps.name,
        told="nothing",
        number=figure.number,
        gtin=figure.gtin,
        location=sharing.location_of(row.location),
        quantity=row.held,
        unit=figure.unit,
        until=row.expires_at,
        bound=json.dumps([*bound[row.reservation_id]]) if row.reservation_id in bound else "",
        answer_by=now + ctx.settings.reservations.erp_seconds * 1_000_000 if row.state == "pending" else 0,
        next_at=now,
        attempts=0,
        reference="",
        error="",
    )
