"""Promising: what can be had of an item, where and when, with the age, source and confidence of every figure.

What is known is read in `node.app.stock.known_stock`; what may be promised of it is decided in `node.core.promise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from node.app.context import Context
from node.app.stock.kit_recipes import recipe_of
from node.app.stock.known_stock import Known, load, resolve
from node.app.stock.prices import Component, components
from node.core import promise as core
from node.core.decimals import to_scaled
from node.core.finding import Finding
from node.core.promise import Factors, Lot, Offer, Position, Promise, Step, Steps
from node.core.quantity import Quantity
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["Promised", "components_of", "offered", "positions", "promise"]


class Promised(NamedTuple):
    """A promise, the unit that it is in, and what could not be counted and why."""

    promise: Promise
    unit: str
    findings: list[Finding]


def positions(tx: Transaction, ctx: Context, item_keys: Sequence[str]) -> list[Position]:
    """Every position of these items, ours and partners', each with age, basis and confidence."""
    known = load(tx, ctx, item_keys)
    return [one for item in item_keys for one in known.positions[item]]


def components_of(tx: Transaction, ctx: Context, item: str) -> list[Component]:
    """What our own catalogue says that a kit is made of; empty for what is no kit of ours."""
    for row in tx.offers.offers(resolve(tx, [item])[item]):
        if row.partner_id == "":
            return components(row)
    return []


def offered(known: Known, item: str, unit: str, today: date, *, made: bool = True) -> list[Offer]:
    """What each place can promise of an item in this unit: what is there, and (`made`) kits made of what is there.

    What is told in a unit that nothing leads from becomes a finding, and is never added.
    """
    item_factors = known.factors(item)
    by_place: dict[tuple[str, str], Offer] = {}
    for one in known.positions.get(item, ()):
        try:
            steps = core.in_unit(core.steps(one, today), one.unit, unit, item_factors)
            multiple = core.multiple_in(one.unit, unit, item_factors)
        except RefusedError as error:
            where = one.source_id
            known.findings.append(Finding(error.code, where, f"{item}: {error.message}; it is not counted"))
            continue
        offer = Offer(
            partner_id=one.partner_id,
            location=one.location,
            steps=steps,
            confidence=one.confidence,
            age_seconds=one.age_seconds,
            basis=one.basis,
            figure=one.figure,
            multiple=multiple,
            lots=_lots(one, unit, item_factors) if one.lots else (),
            notes=one.notes,
        )
        place = (one.partner_id, one.location)
        by_place[place] = _both(by_place[place], offer) if place in by_place else offer
    if made:
        for offer in _kits(known, item, unit, today):
            place = (offer.partner_id, offer.location)
            by_place[place] = _both(by_place[place], offer) if place in by_place else offer
    return list(by_place.values())


def _lots(one: Position, unit: str, factors: Factors) -> tuple[Lot, ...]:
    """A position's lots in another unit, rounded down."""
    found = []
    for lot in one.lots:
        steps = core.in_unit((Step(date.min, lot.quantity),), one.unit, unit, factors)
        found += [Lot(step.quantity, lot.best_before_on) for step in steps]
    return tuple(found)


def _earliest(made: Sequence[Offer], steps: Steps) -> tuple[Lot, ...]:
    """Kits are best as long as the first of their components to end."""
    days = [lot.best_before_on for one in made for lot in one.lots if lot.best_before_on]
    return (Lot(steps[-1].quantity, min(days)),) if days and steps else ()


def _both(one: Offer, other: Offer) -> Offer:
    """What a place has in two forms."""
    return replace(
        one,
        steps=core.total([one.steps, other.steps]),
        confidence=min(one.confidence, other.confidence),
        age_seconds=max(one.age_seconds, other.age_seconds),
        figure=one.figure if one.figure != "EXACT" else other.figure,
        multiple=min(one.multiple, other.multiple),
        lots=(*one.lots, *other.lots),
        notes=tuple(dict.fromkeys([*one.notes, *other.notes])),
    )


def _kits(known: Known, item: str, unit: str, today: date) -> list[Offer]:
    """Kits that can be made at one place, of what its owner's catalogue says that one is made of.

    A kit that is made of itself, or of what cannot be counted, is not made; a finding says so.
    """
    found = []
    for row in known.offers.get(item, ()):
        parts = components(row)
        if not parts or any(not part.item_key for part in parts):
            continue
        try:
            recipe = recipe_of(known, item, row.partner_id)
        except RefusedError as error:
            known.findings.append(Finding(error.code, f"{row.partner_id}|", f"{item}: {error.message}"))
            continue
        if recipe.cut:
            text = f"{item}: kits in it are too deep to be looked into: {', '.join(recipe.cut)}"
            known.findings.append(Finding("kit-too-deep", f"{row.partner_id}|", text))
        places: dict[tuple[str, str], dict[str, Offer]] = {}
        for one, part in recipe.named.items():
            for offer in offered(known, one, part.unit, today, made=False):
                if offer.partner_id == row.partner_id:
                    places.setdefault((offer.partner_id, offer.location), {})[one] = offer
        for place in sorted(places):
            made = places[place]
            steps = recipe.steps({one: offer.steps for one, offer in made.items()})
            try:
                steps = core.in_unit(steps, row.base_unit, unit, known.factors(item))
            except RefusedError as error:
                known.findings.append(Finding(error.code, "|".join(place), f"{item}: {error.message}"))
                continue
            if steps:
                found.append(_made_of(list(made.values()), steps))
    return found


def _made_of(made: Sequence[Offer], steps: Steps) -> Offer:
    """What kits made of these offers of one place come to: as sure and as new as the worst of them."""
    return replace(
        made[0],
        steps=steps,
        confidence=min(one.confidence for one in made),
        age_seconds=max(one.age_seconds for one in made),
        figure=next((one.figure for one in made if one.figure != "EXACT"), "EXACT"),
        multiple=Decimal(1),
        lots=_earliest(made, steps),
        notes=("made from components",),
    )


def promise(
    tx: Transaction,
    ctx: Context,
    item: str,
    quantity: Decimal,
    by: date,
    *,
    unit: str = "",
    location: str = "",
    partner_id: str | None = None,
) -> Promised:
    """When so much of an item can be had and from where; `unit` "" is the one that the item is counted in.

    Raises RefusedError ``bad-quantity`` unless the quantity is above zero and can be kept, ``past`` for a day before
    today, ``unknown-unit``.
    """
    today = ctx.now().date()
    if quantity <= 0:
        raise RefusedError(f"{quantity} was asked for, more than zero was expected", code="bad-quantity")
    to_scaled(quantity)
    if by < today:
        raise RefusedError(f"{by} is past; today is {today}", code="past")
    known = load(tx, ctx, [item])
    wanted = unit or known.unit(item)
    Quantity(quantity, wanted)
    offers = [
        one
        for one in offered(known, item, wanted, today)
        if (not location or one.location == location) and partner_id in (None, one.partner_id)
    ]
    return Promised(core.promise(offers, quantity, by), wanted, list(dict.fromkeys(known.findings)))
