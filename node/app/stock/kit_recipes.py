"""Recipes of kits from catalogues: each owner's kits are made of what its own catalogue says, kits within kits too."""

from __future__ import annotations

import math
from fractions import Fraction

from node.app.stock.known_stock import KITS_DEEP_MAX, Known
from node.app.stock.prices import components
from node.core.decimals import to_scaled
from node.core.item_key import number_key
from node.core.kit_recipe import Recipe, recipe
from node.core.kits import Part
from node.core.promise import ratio
from node.core.promise_rows import ItemOfferRow
from node.errors import RefusedError

__all__ = ["kit_offer", "recipe_of"]


def kit_offer(known: Known, item: str, owner: str) -> ItemOfferRow | None:
    """What the owner's catalogue ("": our own) says of an item that is a kit; None for what is none."""
    rows = known.offers.get(item, ())
    return next((row for row in rows if row.partner_id == owner and components(row)), None)


def recipe_of(known: Known, item: str, owner: str, own: str = "") -> Recipe:
    """What a kit is made of, each item under one name and in one unit; `own` is our id, where numbers of ours are told.

    Raises RefusedError ``kit-circle``, ``bad-quantity``, ``unnamed-item`` for a component that cannot be told from
    others, ``unlike-units`` and ``inexact-conversion`` for one whose units do not fit.
    """
    names: dict[str, str] = {}
    units: dict[str, str] = {}
    made_of: dict[str, list[Part]] = {}
    prefix = number_key("", own) if own else ""

    def called(key: str) -> str:
        keys = known.keys.get(key, [key])
        name = next((names[each] for each in keys if each in names), key)
        names.update(dict.fromkeys([key, *keys], name))
        return name

    level = [called(item)]
    for _ in range(KITS_DEEP_MAX + 1):
        following: list[str] = []
        for one in dict.fromkeys(level):
            row = kit_offer(known, one, owner)
            if row is None or one in made_of:
                continue
            made_of[one] = []
            for part in components(row):
                if not part.item_key:
                    raise RefusedError(f"a component of {one} has no name that can be read", code="unnamed-item")
                name = called(part.item_key)
                kit = kit_offer(known, name, owner)
                unit = units.setdefault(name, kit.base_unit if kit is not None and kit.base_unit else part.unit)
                quantity = Fraction(to_scaled(part.quantity)) * ratio(part.unit, unit, known.factors(name))
                numbers = (key.removeprefix(prefix) for key in known.keys.get(name, ()) if key.startswith(prefix))
                number = next(numbers, "") if prefix else ""
                made_of[one].append(Part(name, number, math.ceil(quantity), unit))
                following.append(name)
        level = following
    return recipe(item, made_of, KITS_DEEP_MAX)
