"""Kits within kits: what is made of what, to the bottom, and how many a place can make of what it has."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.kit_recipe import Recipe, recipe
from node.core.kits import Part
from node.core.promise import Step
from node.errors import RefusedError
from tests.unit.test_promise import TODAY, may

ONE = 1_000_000
KITS = {"set": {"bench": 2, "top": 1, "screw": 4}, "bench": {"leg": 4, "top": 1}, "leg": {"rod": 1, "screw": 2}}
"""A set is 2 benches, a top and 4 screws; a bench 4 legs and a top; a leg a rod and 2 screws."""


def parts(made_of: dict[str, dict[str, int]]) -> dict[str, list[Part]]:
    return {kit: [Part(one, one, many * ONE, "C62") for one, many in each.items()] for kit, each in made_of.items()}


def of(made_of: dict[str, dict[str, int]], deep: int = 4, item: str = "set") -> Recipe:
    return recipe(item, parts(made_of), deep)


def stock(**counts: int) -> dict[str, Fraction]:
    return {item: Fraction(many) for item, many in counts.items()}


def told(found: tuple[Part, ...]) -> dict[str, int]:
    return {part.item_key: part.quantity // ONE for part in found}


def test_a_kit_of_kits_is_taken_apart_to_the_bottom() -> None:
    assert told(of(KITS).bottom()) == {"top": 3, "rod": 8, "screw": 20}


def test_what_lies_there_whole_is_used_first() -> None:
    made = of(KITS)
    assert made.makeable(stock(rod=8, top=3, screw=20)) == 1
    assert made.makeable(stock(rod=8, top=3, screw=19)) == 0  # screws are in the set and in its legs
    assert made.makeable(stock(bench=4, top=9, screw=9)) == 2
    there = stock(bench=3, leg=4, top=3, screw=8)
    assert made.makeable(there) == 2
    groups = [(count, told(each)) for count, each in made.groups(5, there)]
    assert groups == [(1, {"bench": 2, "top": 1, "screw": 4}), (1, {"bench": 1, "top": 2, "leg": 4, "screw": 4})]


def test_what_a_place_has_of_the_kit_itself_is_not_among_what_it_makes() -> None:
    assert of(KITS).makeable(stock(set=5)) == 0


def test_kits_are_promised_by_day() -> None:
    steps = {
        "bench": (Step(TODAY, Decimal(2)),),
        "leg": (Step(may(8), Decimal(8)),),
        "top": (Step(TODAY, Decimal(4)),),
        "screw": (Step(TODAY, Decimal(9)),),
    }
    assert of(KITS).steps(steps) == (Step(TODAY, Decimal(1)), Step(may(8), Decimal(2)))


@pytest.mark.parametrize("made_of", [{"set": {"set": 1}}, {"set": {"bench": 2}, "bench": {"leg": 1, "set": 1}}])
def test_a_kit_of_itself_is_refused(made_of: dict[str, dict[str, int]]) -> None:
    with pytest.raises(RefusedError, match=r"set > .*set") as caught:
        of(made_of)
    assert caught.value.code == "kit-circle"


def test_so_deep_and_no_deeper() -> None:
    deep = {str(n): {str(n + 1): 2} for n in range(9)}
    assert told(of(deep, item="0").bottom()) == {"4": 16}
    assert of(deep, item="0").cut == ("4",)
    assert of(deep, 9, "0").cut == ()


def test_absurd_kits_are_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        of({str(n): {str(n + 1): 10**5} for n in range(4)}, item="0")
    assert caught.value.code == "bad-quantity"


@given(st.fixed_dictionaries({one: st.integers(0, 60) for one in ("bench", "leg", "top", "rod", "screw")}))
def test_as_many_as_can_be_made_are_made_and_no_piece_is_used_twice(counts: dict[str, int]) -> None:
    made, there = of(KITS), stock(**counts)
    most = made.makeable(there)
    # One by one, from what is left: as many, whatever is whole.
    left, by_hand = dict(there), 0
    while True:
        taken, enough = made.takes(1, left)
        if not enough:
            break
        by_hand += 1
        for one, each in taken.items():
            left[one] -= each
    assert most == by_hand
    groups = list(made.groups(1_000, there))
    assert sum(count for count, _ in groups) == most
    used: dict[str, int] = {}
    for count, made_of in groups:
        for one, many in told(made_of).items():
            used[one] = used.get(one, 0) + count * many
    assert all(many <= counts[one] for one, many in used.items())
