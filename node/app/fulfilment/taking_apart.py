"""Kits that our own catalogue takes apart: what of one nobody has whole is sourced by its components, site by site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.app.context import Context
from node.app.stock.known_stock import KITS_DEEP_MAX, Known, load, resolve
from node.app.stock.prices import Component, components
from node.app.stock.promising import offered
from node.core import promise
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow
from node.core.decimals import to_scaled
from node.core.item_key import number_key
from node.core.kits import ONE, Part, exploded
from node.core.units import canonical_unit
from node.ports import Transaction

__all__ = ["take_apart"]


def take_apart(
    tx: Transaction,
    ctx: Context,
    order: CustomerOrderRow,
    lines: Mapping[str, CustomerLineRow],
    wanted: Mapping[str, int],
) -> list[CustomerLineRow]:
    """New lines for the components of kits that are open (`wanted`, scaled, by line), beyond what there is whole.

    A partner's order keeps its lines: it is answered, and told of goods, line by line.
    """
    if order.origin_partner:
        return []
    asked = [lines[name] for name, quantity in wanted.items() if not lines[name].parent_line and quantity >= ONE]
    if not asked:
        return []
    keys = resolve(tx, [line.item_key for line in asked])
    rows = tx.offers.offers(sorted({key for each in keys.values() for key in each}))
    kits = {row.item_key for row in rows if row.partner_id == "" and components(row)}
    made: list[CustomerLineRow] = []
    for line in asked:
        if kits.intersection(keys[line.item_key]):
            made += _of_line(tx, ctx, line, wanted[line.line_id], [*lines.values(), *made])
    return made


def _of_line(
    tx: Transaction, ctx: Context, line: CustomerLineRow, quantity: int, lines: Sequence[CustomerLineRow]
) -> list[CustomerLineRow]:
    today = ctx.now().date()
    known = load(tx, ctx, [line.item_key])
    own = next((row for row in known.offers[line.item_key] if row.partner_id == "" and components(row)), None)
    if own is None or canonical_unit(own.base_unit or line.unit) != canonical_unit(line.unit):
        return []
    there = offered(known, line.item_key, line.unit, today, KITS_DEEP_MAX)
    whole = {(one.partner_id, one.location): int(promise.at(one.steps, today)) for one in there}
    left = (quantity - sum(whole.values()) * ONE) // ONE * ONE
    if left <= 0:
        return []
    parts = _parts(known, components(own), tx.partners.own().partner_id)
    could = [
        int(promise.at(one.steps, today)) - whole.get((one.partner_id, one.location), 0)
        for one in offered(known, line.item_key, line.unit, today)
    ]
    chunks = []
    for count in sorted(could, reverse=True):
        if left > 0 and count > 0:
            chunks.append(min(left, count * ONE))
            left -= chunks[-1]
    return exploded(line, [*chunks, left] if left else chunks, parts, lines)


def _parts(known: Known, made_of: Sequence[Component], own: str) -> list[Part]:
    prefix = number_key("", own)
    return [
        Part(
            item_key=one.item_key,
            number=next((key.removeprefix(prefix) for key in known.keys[one.item_key] if key.startswith(prefix)), ""),
            quantity=to_scaled(one.quantity),
            unit=one.unit,
        )
        for one in made_of
    ]
