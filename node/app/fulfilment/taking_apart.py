"""Kits that our own catalogue takes apart: what of one nobody has whole is sourced by its components, site by site.

A kit within a kit comes whole where the site has it whole, else by its own components, down to the bottom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from node.app.context import Context
from node.app.stock.kit_recipes import kit_offer, recipe_of
from node.app.stock.known_stock import KITS_DEEP_MAX, Known, load, resolve
from node.app.stock.prices import components
from node.app.stock.promising import offered
from node.core import promise
from node.core.customer_rows import CustomerLineRow
from node.core.decimals import SCALED_MAX
from node.core.finding import Finding
from node.core.kit_recipe import Recipe
from node.core.kits import ONE, Part, exploded, is_made
from node.core.units import canonical_unit
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["TakenApart", "take_apart"]


class TakenApart(NamedTuple):
    """New lines for components, and what is to be said of kits that could not be taken apart, or not to the bottom."""

    lines: list[CustomerLineRow]
    findings: list[Finding]


def take_apart(
    tx: Transaction, ctx: Context, lines: Mapping[str, CustomerLineRow], wanted: Mapping[str, int]
) -> TakenApart:
    """The components of kits that are open (`wanted`, scaled, by line), beyond what there is whole.

    A kit that is made of itself, or of what cannot be counted, stays as it is, with a finding.
    """
    asked = [lines[name] for name, quantity in wanted.items() if not is_made(lines[name]) and quantity >= ONE]
    if not asked:
        return TakenApart([], [])
    keys = resolve(tx, [line.item_key for line in asked])
    rows = tx.offers.offers(sorted({key for each in keys.values() for key in each}))
    kits = {row.item_key for row in rows if row.partner_id == "" and components(row)}
    made: list[CustomerLineRow] = []
    findings: list[Finding] = []
    for line in asked:
        if kits.intersection(keys[line.item_key]):
            try:
                one = _of_line(tx, ctx, line, wanted[line.line_id], [*lines.values(), *made])
                made += one.lines
                findings += one.findings
            except RefusedError as error:
                findings.append(Finding(error.code, f"line {line.line_id}", error.message))
    return TakenApart(made, findings)


def _of_line(
    tx: Transaction, ctx: Context, line: CustomerLineRow, quantity: int, lines: Sequence[CustomerLineRow]
) -> TakenApart:
    today = ctx.now().date()
    known = load(tx, ctx, [line.item_key])
    own = kit_offer(known, line.item_key, "")
    if own is None or canonical_unit(own.base_unit or line.unit) != canonical_unit(line.unit):
        return TakenApart([], [])
    there = offered(known, line.item_key, line.unit, today, made=False)
    left = quantity // ONE - sum(int(promise.at(one.steps, today)) for one in there)
    if left <= 0:
        return TakenApart([], [])
    recipe = recipe_of(known, line.item_key, "", tx.partners.own().partner_id)
    stocks = _stock(ctx, known, recipe)
    most = {place: recipe.makeable(stock) for place, stock in stocks.items()}
    groups: list[tuple[int, Sequence[Part]]] = []
    for place in sorted(stocks, key=lambda one: (-most[one], one)):
        for count, parts in recipe.groups(left, stocks[place]):
            groups.append((count * ONE, parts))
            left -= count
    if left:
        groups.append((left * ONE, recipe.bottom()))
    made = exploded(line, groups, lines)
    if any(one.quantity > SCALED_MAX for one in made):
        raise RefusedError("it takes more of a component than can be counted", code="bad-quantity")
    deep = f"line {line.line_id}: kits more than {KITS_DEEP_MAX} levels down come whole: {', '.join(recipe.cut)}"
    return TakenApart(made, [Finding("kit-too-deep", f"line {line.line_id}", deep)] if recipe.cut else [])


def _stock(ctx: Context, known: Known, recipe: Recipe) -> dict[tuple[str, str], dict[str, Fraction]]:
    """By place what it can promise today of each component."""
    today = ctx.now().date()
    found: dict[tuple[str, str], dict[str, Fraction]] = {}
    for item, part in recipe.named.items():
        for one in offered(known, item, part.unit, today, made=False):
            place = (one.partner_id, one.location)
            found.setdefault(place, {})[item] = Fraction(promise.at(one.steps, today))
    return found
