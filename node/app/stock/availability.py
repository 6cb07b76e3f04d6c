"""Availability: every figure that is told of an item, ours and partners', with its age, basis and source.

Questions on the stream are advisory: they bind nobody, and are never passed on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from node import stock_wire, wire
from node.app.context import Context
from node.app.stock import inventory, ledger
from node.core import link
from node.core.document.common import ItemRef
from node.core.document.inventory import FigureKind, InventoryReport, StockBasis
from node.core.identifiers import gtin14, is_gtin
from node.core.item_key import aliases, number_key
from node.core.rows import PartnerRow, StockRow
from node.errors import RefusedError
from node.ports import Transaction
from node.stock_wire import StockReport, read_report

__all__ = ["Figure", "answer", "enough", "figures", "question", "take_answer"]


class Figure(NamedTuple):
    """One figure of availability, with its age, basis and source."""

    item: str  # as asked
    partner_id: str  # "" for our own
    partner: str
    location: str
    status: str
    figure: str
    on_hand: int | None
    available: int | None
    band_end: int | None
    unit: str
    expected: list[list[object]]  # [scaled quantity, date, source]
    as_of: int
    age_seconds: int
    basis: str
    usage: str
    reserved: int = 0  # of our own figure: what holds take off it, and is not in `available`
    allocated: int = 0  # what orders take off it
    exposed: int = 0  # how much of it the ERP behind it may sell at the same moment, as measured or told


def figures(
    tx: Transaction, ctx: Context, items: Sequence[str], *, location: str = "", partner_id: str | None = None
) -> list[Figure]:
    """Every figure in force of these items (our numbers, GTINs, or partners' numbers), ours and partners'."""
    now = ctx.now_micros()
    keys_of = {item: _keys(tx, item) for item in items}
    gross = tx.stock.figures(sorted({key for keys in keys_of.values() for key in keys}))
    counters = ledger.counters_of(tx, gross)
    rows = [ledger.less(row, counters.get((row.item_key, row.location))) for row in gross]
    by_key: dict[str, list[StockRow]] = {}
    for row in rows:
        by_key.setdefault(row.item_key, []).append(row)
    bases = {"": tx.settings.get(inventory.BASIS_SETTING) or "UNSPECIFIED"}
    partners: dict[str, PartnerRow | None] = {"": None}
    figures = []
    for item, keys in keys_of.items():
        for row in (row for key in keys for row in by_key.get(key, ())):
            if (location and row.location != location) or (partner_id is not None and row.partner_id != partner_id):
                continue
            if row.partner_id not in bases:
                partners[row.partner_id] = tx.partners.get(row.partner_id)
                snapshot = tx.stock.current_snapshot(row.partner_id)
                bases[row.partner_id] = snapshot.basis if snapshot else "UNSPECIFIED"
            partner = partners[row.partner_id]
            counter = None if row.partner_id else counters.get((row.item_key, row.location))
            figures.append(
                Figure(
                    item=item,
                    partner_id=row.partner_id,
                    partner=partner.name if partner else "",
                    location=row.location,
                    status=row.status,
                    figure=row.figure,
                    on_hand=row.on_hand,
                    available=row.available if row.available is not None else row.on_hand,
                    band_end=row.band_end,
                    unit=row.unit,
                    expected=_expected(row),
                    as_of=row.as_of,
                    age_seconds=max(0, (now - row.as_of) // 1_000_000),
                    basis=bases[row.partner_id],
                    usage=partner.usage if partner else "PRODUCTION",
                    reserved=counter.reserved if counter else 0,
                    allocated=counter.allocated if counter else 0,
                    exposed=ledger.exposed(ctx, counter, now) if counter else row.exposed,
                )
            )
    return figures


def _keys(tx: Transaction, item: str) -> list[str]:
    """Every key under which stock of this item may be told."""
    own = tx.partners.own().partner_id
    names = [item, number_key(item, own)]
    if is_gtin(item):
        names.append(f"gtin:{gtin14(item)}")
    aliases = tx.stock.aliases(names)
    if not aliases and not is_gtin(item):
        # No name of ours: a partner may call it so.
        theirs = [number_key(item, row.partner_id) for row in tx.partners.all()]
        names, aliases = names + theirs, tx.stock.aliases(theirs)
    numbers = sorted({row.item_number for row in aliases})
    keys = dict.fromkeys(names)
    if numbers:
        keys |= dict.fromkeys(number_key(number, own) for number in numbers)
        keys |= dict.fromkeys(row.alias for row in tx.stock.aliases(numbers))
    return [key for key in keys if key.startswith(("gtin:", "no:"))]


def question(tx: Transaction, partner_id: str, items: Sequence[str]) -> link.AvailabilityQuery:
    """What to ask a partner for these items: by GTIN, and by that partner's own numbers."""
    asked = []
    prefix = f"no:{partner_id}:"
    for item in items:
        for key in _keys(tx, item):
            if key.startswith("gtin:"):
                asked.append(ItemRef(gtin=key.removeprefix("gtin:")))
            elif key.startswith(prefix):
                asked.append(ItemRef(seller_number=key.removeprefix(prefix)))
        asked.append(ItemRef(buyer_number=item))
    return link.AvailabilityQuery(items=tuple(asked))


def answer(tx: Transaction, ctx: Context, partner_id: str, query: link.AvailabilityQuery) -> link.AvailabilityAnswer:
    """The figures of our stock that this partner may see. Raises RefusedError when it asks for too much."""
    most = ctx.settings.limits.query_items_max
    if len(query.items) > most:
        raise RefusedError(f"{len(query.items)} items in one question; at most {most}", code="too-large")
    own = tx.partners.own().partner_id
    keys = []
    for item in query.items:
        keys += [key for key in aliases(item, seller=own, buyer=partner_id) if key.startswith(("gtin:", "no:" + own))]
    rows = [row for row in tx.stock.figures(sorted(set(keys))) if row.partner_id == ""]
    if query.location:
        rows = [row for row in rows if row.location == query.location]
    shared = inventory.as_shared(tx, ctx, rows, partner_id)
    report = InventoryReport(as_of=ctx.now())
    lines = wire.decode(InventoryReport, stock_wire.write_report(report, shared)).lines
    return link.AvailabilityAnswer(
        lines=lines, as_of=ctx.now(), basis=StockBasis(tx.settings.get(inventory.BASIS_SETTING) or "UNSPECIFIED")
    )


def take_answer(tx: Transaction, ctx: Context, partner_id: str, told: link.AvailabilityAnswer) -> None:
    """Keep a live answer as the partner's newest figures."""
    body = wire.encode(InventoryReport(as_of=told.as_of or ctx.now(), basis=told.basis, lines=told.lines))
    stock = read_report(body, partner_id, tx.partners.own().partner_id)
    now = ctx.now_micros()
    fresh = [row._replace(as_of=now) for row in stock.rows]
    inventory.take_report(tx, ctx, partner_id, StockReport(stock.report, fresh, []))


def _expected(row: StockRow) -> list[list[object]]:
    """Supply to come; lots are a part of what is there."""
    return [one for one in json.loads(row.expected) if one[2] != stock_wire.LOT] if row.expected else []


def enough(figure: Figure, quantity: int, by: str) -> bool:
    """Whether a figure covers `quantity` (scaled) by a date; capped and banded figures speak for their lower end."""
    supply = 0
    if by:
        supply = sum(int(str(one[0])) for one in figure.expected if str(one[1]) <= by)
    if figure.figure == FigureKind.YES_NO.value:
        return bool(figure.available) and quantity <= stock_wire.scaled("1")
    return (figure.available or 0) + supply >= quantity
