"""What may be promised holds for any position: never below zero, never falling, and no promise eats another."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from node.core.confidence import MEASURES, added, confidence, record
from node.core.disruption import disrupted
from node.core.kit_recipe import recipe
from node.core.kits import Part
from node.core.promise import Coming, Offer, Position, at, in_hand, in_unit, promise, steps, total, when
from node.core.promise_rows import DisruptionRow, PartnerMeasureRow

TODAY = date(2026, 5, 4)
DAY_MICROS = 86_400_000_000
days = st.integers(-10, 60).map(lambda count: TODAY + timedelta(days=count))
amounts = st.integers(0, 500).map(Decimal)
coming = st.builds(Coming, amounts, days)
positions = st.builds(
    Position,
    partner_id=st.sampled_from(["", "0088:4012345000009"]),
    location=st.sampled_from(["DC", "SHOP"]),
    item_key=st.just("gtin:04012345000016"),
    unit=st.just("C62"),
    on_hand=st.none() | amounts,
    available=st.none() | st.integers(-50, 500).map(Decimal),
    reserved=amounts,
    allocated=amounts,
    safety=amounts,
    expected=st.lists(coming, max_size=4).map(tuple),
    owed=st.lists(coming, max_size=4).map(tuple),
    caps=st.just(()),
    figure=st.just("EXACT"),
    as_of=st.just(0),
    age_seconds=st.just(0),
    basis=st.just("UNSPECIFIED"),
    confidence=st.just(Decimal(1)),
    lots=st.just(()),
    notes=st.just(()),
)


@given(positions)
def test_promises_are_never_below_zero_and_never_fall(position: Position) -> None:
    found = steps(position, TODAY)
    assert all(one.quantity > 0 for one in found)
    assert all(one.on >= TODAY for one in found)
    assert [one.on for one in found] == sorted({one.on for one in found})
    assert [one.quantity for one in found] == sorted({one.quantity for one in found})


@given(positions, st.integers(0, 60), st.integers(1, 200))
def test_a_promise_eats_no_other(position: Position, ahead: int, wanted: int) -> None:
    """Whatever is promised for a day, the balance afterwards is nowhere below what it was or zero (look-ahead)."""
    on = TODAY + timedelta(days=ahead)
    quantity = min(Decimal(wanted), at(steps(position, TODAY), on))
    after = position._replace(owed=(*position.owed, Coming(quantity, on)))
    for day in range(61):
        then = TODAY + timedelta(days=day)
        before_balance, after_balance = balance(position, then), balance(after, then)
        if before_balance >= 0 or quantity == 0:
            assert after_balance >= 0 or after_balance == before_balance
        if then < on:
            assert after_balance == before_balance


def balance(position: Position, day: date) -> Decimal:
    """The running balance, reckoned the plain way."""
    came = sum((one.quantity for one in position.expected if TODAY <= one.on <= day), Decimal(0))
    went = sum((one.quantity for one in position.owed if max(one.on, TODAY) <= day), Decimal(0))
    return in_hand(position) + came - went


@given(positions, st.integers(0, 60), st.integers(1, 100), st.integers(0, 60))
def test_all_that_is_promised_one_after_the_other_is_there(
    position: Position, first: int, wanted: int, second: int
) -> None:
    """Promising up to the limit, twice, on any two days: the balance is never below zero on any day."""
    if min(balance(position, TODAY + timedelta(days=day)) for day in range(61)) < 0:
        return
    for ahead, most in ((first, Decimal(wanted)), (second, Decimal(10**9))):
        on = TODAY + timedelta(days=ahead)
        taken = min(most, at(steps(position, TODAY), on))
        position = position._replace(owed=(*position.owed, Coming(taken, on)))
    assert min(balance(position, TODAY + timedelta(days=day)) for day in range(61)) >= 0


@given(positions, amounts)
def test_more_safety_stock_never_promises_more(position: Position, more: Decimal) -> None:
    kept = position._replace(safety=position.safety + more)
    for day in range(0, 61, 5):
        on = TODAY + timedelta(days=day)
        assert at(steps(kept, TODAY), on) <= at(steps(position, TODAY), on)


@given(st.lists(st.tuples(positions, st.integers(1, 5)), min_size=1, max_size=4), st.integers(0, 60))
def test_a_kit_is_as_many_as_its_scarcest_component(parts: list[tuple[Position, int]], ahead: int) -> None:
    on = TODAY + timedelta(days=ahead)
    made_of = [Part(str(place), "", each * 1_000_000, "C62") for place, (_, each) in enumerate(parts)]
    there = {str(place): steps(position, TODAY) for place, (position, _) in enumerate(parts)}
    made = recipe("kit", {"kit": made_of}, 4).steps(there)
    assert at(made, on) == min(at(steps(position, TODAY), on) // each for position, each in parts)


@given(positions, st.integers(2, 48))
def test_packs_are_exact_both_ways(position: Position, inside: int) -> None:
    factors = {("XBX", "C62"): Fraction(inside)}
    pieces = steps(position, TODAY)
    boxes = in_unit(pieces, "C62", "XBX", factors)
    for day in range(0, 61, 5):
        on = TODAY + timedelta(days=day)
        assert at(boxes, on) == at(pieces, on) // inside
        assert at(in_unit(boxes, "XBX", "C62", factors), on) == at(boxes, on) * inside


@given(st.lists(positions, min_size=1, max_size=4), st.integers(1, 1500), st.integers(0, 60))
def test_a_promise_over_several_places_adds_up(several: list[Position], wanted: int, ahead: int) -> None:
    by, quantity = TODAY + timedelta(days=ahead), Decimal(wanted)
    found = [steps(one, TODAY) for one in several]
    offers = [
        Offer(
            partner_id=one.partner_id,
            location=f"{place}",
            steps=found[place],
            confidence=Decimal("0.9"),
            age_seconds=0,
            basis="NET",
            figure="EXACT",
        )
        for place, one in enumerate(several)
    ]
    told = promise(offers, quantity, by)
    assert told.by_then == min(quantity, at(total(found), by))
    assert told.on == when(total(found), quantity)
    given_by = sum((part.quantity for part in told.parts), Decimal(0))
    assert given_by == (quantity if told.on is not None else at(total(found), TODAY + timedelta(days=99)))
    assert all(part.on <= max(by, told.on) for part in told.parts if told.on is not None)
    assert len({part.location for part in told.parts}) == len(told.parts)


notices = st.builds(
    DisruptionRow,
    partner_id=st.just("0088:4012345000009"),
    number=st.just("N1"),
    line_id=st.just("1"),
    kind=st.sampled_from(["delay", "shortage", "capacity", "closure"]),
    item_key=st.just(""),
    location=st.sampled_from(["", "DC"]),
    order_number=st.just(""),
    quantity_left=st.none() | st.integers(0, 200).map(lambda count: count * 10**6),
    unit=st.just("C62"),
    days_late=st.integers(0, 30),
    from_on=st.just(TODAY.isoformat()),
    until_on=st.just("") | days.map(lambda day: day.isoformat()),
    reason=st.just("flood"),
    root_id=st.just("R"),
    hops_left=st.just(3),
    revision=st.just(0),
    document_id=st.just(1),
    state=st.just("in_force"),
    at=st.just(0),
)


@given(st.lists(positions, min_size=1, max_size=3), notices)
def test_a_notice_never_adds_to_what_can_be_promised(several: list[Position], notice: DisruptionRow) -> None:
    for before, after in zip(several, disrupted(several, [notice], TODAY), strict=True):
        for day in range(0, 120, 7):
            on = TODAY + timedelta(days=day)
            assert at(steps(after, TODAY), on) <= at(steps(before, TODAY), on)


observations = st.lists(st.tuples(st.sampled_from(MEASURES), st.booleans(), st.integers(0, 400)), max_size=20)


def measured(seen: list[tuple[str, bool, int]]) -> list[PartnerMeasureRow]:
    rows: dict[str, PartnerMeasureRow] = {}
    for measure, good, day in seen:
        at_micros = day * DAY_MICROS
        rows[measure] = added(rows.get(measure), "P", measure, good=int(good), bad=int(not good), at=at_micros)
    return list(rows.values())


@given(observations, st.sampled_from(MEASURES[:4]), st.integers(0, 10**7), st.integers(0, 10**7))
def test_confidence_falls_with_age_and_with_every_failure(
    seen: list[tuple[str, bool, int]], measure: str, age: int, older: int
) -> None:
    now = 400 * DAY_MICROS
    known = record("P", measured(seen), now)
    sure = confidence(known, age)
    assert 0 <= sure < 1
    assert confidence(known, age + older) <= sure
    worse = record("P", measured([*seen, (measure, False, 400)]), now)
    better = record("P", measured([*seen, (measure, True, 400)]), now)
    assert confidence(worse, age) <= sure <= confidence(better, age)
