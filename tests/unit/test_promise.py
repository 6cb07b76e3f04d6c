"""Availability to promise, kits, packs, confidence and disruptions, case by case."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from node.core.confidence import added, added_days, confidence, lead_times, record
from node.core.disruption import days_late, disrupted, text
from node.core.kit_recipe import recipe
from node.core.kits import Part
from node.core.promise import (
    Coming,
    Offer,
    Position,
    Step,
    at,
    in_unit,
    multiple_in,
    promise,
    steps,
    when,
)
from node.core.promise_rows import DisruptionRow, LeadTimeRow
from node.errors import RefusedError

TODAY = date(2026, 5, 4)
DAY = 86_400_000_000


def may(day: int) -> date:
    return date(2026, 5, day)


def position(available: int, **more: object) -> Position:
    made = Position(partner_id="", location="DC", item_key="k", unit="C62", available=Decimal(available))
    return made._replace(**more)  # type: ignore[arg-type]


def test_what_is_bound_or_kept_is_not_promised() -> None:
    one = position(20, reserved=Decimal(3), allocated=Decimal(4), safety=Decimal(5))
    assert steps(one, TODAY) == (Step(TODAY, Decimal(8)),)
    short = one._replace(safety=Decimal(50), expected=(Coming(Decimal(100), may(9)),))
    assert steps(short, TODAY) == (Step(may(9), Decimal(63)),)


def test_on_hand_stands_where_nothing_else_is_told() -> None:
    one = Position(partner_id="", location="DC", item_key="k", unit="C62", on_hand=Decimal(7))
    assert steps(one, TODAY) == (Step(TODAY, Decimal(7)),)
    assert steps(one._replace(available=Decimal(2)), TODAY) == (Step(TODAY, Decimal(2)),)


def test_what_is_promised_for_later_is_not_given_away_today() -> None:
    one = position(10, expected=(Coming(Decimal(5), may(10)),), owed=(Coming(Decimal(12), may(12)),))
    assert at(steps(one, TODAY), TODAY) == 3
    assert at(steps(one, TODAY), may(31)) == 3
    more = one._replace(expected=(*one.expected, Coming(Decimal(20), may(20))))
    assert steps(more, TODAY) == (Step(TODAY, Decimal(3)), Step(may(20), Decimal(23)))


def test_supply_that_should_have_come_is_not_counted() -> None:
    assert steps(position(0, expected=(Coming(Decimal(5), may(3)),)), TODAY) == ()


def test_a_kit_needs_its_components_at_one_place_on_the_same_day() -> None:
    wheels = steps(position(7, expected=(Coming(Decimal(9), may(8)),)), TODAY)
    frames = steps(position(3), TODAY)
    parts = [Part("wheel", "", 4_000_000, "C62"), Part("frame", "", 1_000_000, "C62")]
    cart = recipe("cart", {"cart": parts}, 4)
    assert cart.steps({"wheel": wheels, "frame": frames}) == (Step(TODAY, Decimal(1)), Step(may(8), Decimal(3)))
    assert cart.steps({"wheel": wheels}) == ()
    assert cart.steps({}) == ()


def test_pieces_are_never_added_to_boxes() -> None:
    boxes = steps(position(3, unit="XBX"), TODAY)
    with pytest.raises(RefusedError) as refused:
        in_unit(boxes, "XBX", "C62")
    assert refused.value.code == "unlike-units"
    factors = {("XBX", "C62"): Fraction(12)}
    assert in_unit(boxes, "XBX", "C62", factors) == (Step(TODAY, Decimal(36)),)
    assert in_unit(steps(position(30), TODAY), "C62", "XBX", factors) == (Step(TODAY, Decimal(2)),)
    assert multiple_in("XBX", "C62", factors) == 12
    assert multiple_in("C62", "XBX", factors) == 1
    assert multiple_in("KGM", "GRM") == 0


def test_what_one_place_has_is_not_split_and_our_own_goes_first() -> None:
    def offer(partner_id: str, location: str, sure: str, *found: Step) -> Offer:
        return Offer(
            partner_id=partner_id,
            location=location,
            steps=found,
            confidence=Decimal(sure),
            age_seconds=60,
            basis="NET",
            figure="EXACT",
        )

    ours = offer("", "DC", "0.9", Step(TODAY, Decimal(4)))
    theirs = offer("P", "W1", "0.8", Step(TODAY, Decimal(5)), Step(may(20), Decimal(15)))
    whole = promise([ours, theirs], Decimal(5), TODAY)
    assert [(part.partner_id, part.quantity) for part in whole.parts] == [("P", Decimal(5))]
    assert whole.on == TODAY
    split = promise([ours, theirs], Decimal(9), TODAY)
    assert [(part.partner_id, part.quantity) for part in split.parts] == [("P", Decimal(5)), ("", Decimal(4))]
    assert split.confidence == Decimal("0.72")
    assert split.single_on == may(20)
    late = promise([ours, theirs], Decimal(16), may(10))
    assert (late.by_then, late.on) == (Decimal(9), may(20))
    never = promise([ours, theirs], Decimal(100), may(10))
    assert (never.on, sum(part.quantity for part in never.parts)) == (None, Decimal(19))
    nothing = promise([], Decimal(1), TODAY)
    assert (nothing.on, nothing.parts, nothing.confidence) == (None, (), Decimal(0))


def notice(**given: object) -> DisruptionRow:
    made = DisruptionRow(
        "P", "N1", "1", "shortage", "", "", "", None, "C62", 0, "2026-05-04", "", "flood", "R", 3, 0, 1, "in_force", 0
    )
    return made._replace(**given)  # type: ignore[arg-type]


def test_a_shortage_leaves_so_much_at_all_places_together() -> None:
    places = [position(10, partner_id="P", location=name) for name in ("A", "B")]
    left = notice(quantity_left=12_000_000, until_on="2026-05-10")
    found = [steps(one, TODAY) for one in disrupted(places, [left], TODAY)]
    assert [at(one, TODAY) for one in found] == [10, 2]
    assert [at(one, may(11)) for one in found] == [10, 10]
    assert [at(steps(one, TODAY), may(9)) for one in disrupted(places, [notice(kind="closure")], TODAY)] == [0, 0]
    assert disrupted(places, [notice(until_on="2026-05-03")], TODAY) == places
    assert disrupted(places, [notice(state="ended")], TODAY) == places
    other = notice(quantity_left=12_000_000, unit="KGM")
    assert at(steps(disrupted(places, [other], TODAY)[0], TODAY), TODAY) == 0


def test_a_delay_moves_what_is_expected() -> None:
    one = position(1, partner_id="P", expected=(Coming(Decimal(5), may(6)), Coming(Decimal(5), may(30))))
    late = notice(kind="delay", days_late=7, until_on="2026-05-20")
    found = disrupted([one], [late], TODAY)[0]
    assert [more.on for more in found.expected] == [may(13), may(30)]
    assert when(steps(found, TODAY), Decimal(6)) == may(13)
    assert days_late([late, notice()], TODAY) == 7
    assert text(late) == "delay of 7 days until 2026-05-20: flood"
    assert text(notice(quantity_left=2_500_000)) == "shortage, 2.5 C62 left: flood"


def test_a_new_partner_is_believed_nine_times_of_ten_and_our_own_figures_more() -> None:
    new = record("P", [], 0)
    assert new.rate("line_accepted").mean == Decimal("0.9")
    assert confidence(new, 0) == Decimal("0.7290")
    assert confidence(record("", [], 0), 0) > Decimal("0.96")
    assert confidence(new, 7 * 86_400) == Decimal("0.3645")


def test_old_failures_are_forgiven() -> None:
    bad = added(None, "P", "line_accepted", good=0, bad=20, at=0)
    fresh, later = record("P", [bad], 0), record("P", [bad], 900 * DAY)
    assert fresh.rate("line_accepted").mean == Decimal("0.1800")
    assert later.rate("line_accepted").mean > Decimal("0.89")
    assert later.rate("line_accepted").bad == 20


def test_lead_times_are_told_by_median_and_90_percent() -> None:
    rows: dict[int, LeadTimeRow] = {}
    for days in (2, 2, 2, 3, 3, 4, 4, 5, 9, 30):
        rows[days] = added_days(rows.get(days), "P", "despatch", days, 0)
    seen = lead_times(list(rows.values()), "P", "despatch", 0)
    assert seen is not None
    assert (seen.median, seen.p90, seen.seen) == (3, 9, 10)
    assert lead_times([], "P", "despatch", 0) is None
    assert added_days(None, "P", "despatch", 10**9, 0).days == 1_000
