"""What a kit is made of, down to the bottom: kits within kits, how many can be made of what a place has, and of what.

A kit within a kit that lies there whole is used as it is; only what is missing of it is made of its own components, so
that nothing is counted twice where two kits share a component.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

from node.core.decimals import SCALED_MAX
from node.core.kits import ONE, Part
from node.core.promise import Step, Steps, at
from node.errors import RefusedError

__all__ = ["Recipe", "recipe"]

Stock = Mapping[str, Fraction]
"""By item what a place has of it, in the item's unit."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A kit (`item`), what it and the kits in it are made of, and every item in the order in which they are made of
    one another: kits before their components. Each item is counted in one unit."""

    item: str
    made_of: Mapping[str, Sequence[Part]]
    order: tuple[str, ...]
    named: Mapping[str, Part]
    """By component: how it is called and counted."""
    cut: tuple[str, ...] = ()
    """Kits that lie too deep to be looked into: they are taken whole."""

    def takes(self, kits: int, stock: Stock | None) -> tuple[dict[str, Fraction], bool]:
        """What so many kits take of each item, and whether that is there; without `stock` all is made at the bottom."""
        need: dict[str, Fraction] = {self.item: Fraction(kits)}
        taken: dict[str, Fraction] = {}
        enough = True
        for one in self.order:
            left = need.get(one, Fraction(0))
            made = self.made_of.get(one)
            if one != self.item and (stock is not None or made is None):
                there = max(Fraction(0), stock.get(one, Fraction(0))) if stock is not None else left
                if made is not None:
                    there = Fraction(math.floor(there))
                used = min(left, there)
                if used:
                    taken[one] = used
                left -= used
            if not left:
                continue
            if made is None:
                enough = False
                continue
            for part in made:
                need[part.item_key] = need.get(part.item_key, Fraction(0)) + left * Fraction(part.quantity, ONE)
        return taken, enough

    def makeable(self, stock: Stock) -> int:
        """How many whole kits can be made of what a place has; what it has of the kit itself is not among them."""
        low, high = 0, self._at_most(stock)
        if high and self.takes(high, stock)[1]:
            return high  # always so where no kit is in it
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.takes(middle, stock)[1] else (low, middle - 1)
        return low

    def _at_most(self, stock: Stock) -> int:
        """No more than what the components come to when every kit among them is opened."""
        bottom, _ = self.takes(1, None)
        opened = dict(stock)
        for one in self.order:
            inside = opened.pop(one, Fraction(0)) if one in self.made_of else Fraction(0)
            if inside > 0 and one != self.item:
                for part in self.made_of[one]:
                    amount = opened.get(part.item_key, Fraction(0)) + inside * Fraction(part.quantity, ONE)
                    opened[part.item_key] = amount
        return min((math.floor(opened.get(one, Fraction(0)) / each) for one, each in bottom.items()), default=0)

    def steps(self, stock: Mapping[str, Steps]) -> Steps:
        """How many kits a place can make, by day, from what it can promise of each item by day."""
        found: list[Step] = []
        for on in sorted({one.on for steps in stock.values() for one in steps}):
            there = {item: Fraction(at(steps, on)) for item, steps in stock.items()}
            count = self.makeable(there)
            if count > (found[-1].quantity if found else 0):
                found.append(Step(on, Decimal(count)))
        return tuple(found)

    def groups(self, kits: int, stock: Stock) -> Iterator[tuple[int, tuple[Part, ...]]]:
        """Up to so many kits from what a place has: (how many, what each of them takes), kits alike together."""
        left = dict(stock)
        while kits > 0:
            taken, enough = self.takes(1, left)
            if not enough:
                return
            count = min(kits, *(math.floor(left[one] / each) for one, each in taken.items()))
            yield count, self._parts(taken)
            kits -= count
            for one, each in taken.items():
                left[one] -= count * each

    def bottom(self) -> tuple[Part, ...]:
        """What one kit takes when every kit in it is made of its components. Raises RefusedError as `recipe`."""
        return self._parts(self.takes(1, None)[0])

    def _parts(self, taken: Mapping[str, Fraction]) -> tuple[Part, ...]:
        named = ((part, taken[one]) for one, part in self.named.items() if one in taken)
        return tuple(part._replace(quantity=math.ceil(each * ONE)) for part, each in named)


def recipe(item: str, made_of: Mapping[str, Sequence[Part]], deep_max: int) -> Recipe:
    """The recipe of a kit, from what is known of all kits; those more than `deep_max` levels down are not opened.

    Raises RefusedError ``kit-circle`` where a kit is made of itself, ``bad-quantity`` where one takes more of
    something than can be counted.
    """
    graph = {one: [part.item_key for part in parts] for one, parts in made_of.items()}
    try:
        bottom_up = list(TopologicalSorter({item: [], **graph}).static_order())
    except CycleError as error:
        circle = " > ".join(_name(made_of, one) for one in reversed(error.args[1]))
        raise RefusedError(f"a kit is made of itself: {circle}", code="kit-circle") from None
    depth: dict[str, int] = {item: 0}
    named: dict[str, Part] = {}
    cut: list[str] = []
    for one in reversed(bottom_up):
        if one not in depth or one not in made_of:
            continue
        if depth[one] >= deep_max:
            cut.append(one)
            continue
        for part in made_of[one]:
            depth[part.item_key] = max(depth.get(part.item_key, 0), depth[one] + 1)
            named.setdefault(part.item_key, part)
    made = Recipe(
        item=item,
        made_of={one: parts for one, parts in made_of.items() if one in depth and one not in cut},
        order=tuple(one for one in reversed(bottom_up) if one in depth),
        named=named,
        cut=tuple(cut),
    )
    most = max((part.quantity for part in made.bottom()), default=0)
    if most > SCALED_MAX:
        raise RefusedError(f"{_name(made_of, item)} takes more of a component than can be counted", code="bad-quantity")
    return made


def _name(made_of: Mapping[str, Sequence[Part]], item: str) -> str:
    """What a person calls an item: our number of it, else its key."""
    numbers = (part.number for parts in made_of.values() for part in parts if part.item_key == item)
    return next((number for number in numbers if number), item.rpartition(":")[2])
