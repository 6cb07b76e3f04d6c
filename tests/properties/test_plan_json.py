"""What a plan decided on an order survives its fields; what is no plan, or another version's, is refused as a value."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.sourcing.plan_json import plan_fields, plan_of
from node.core.sourcing.problem import Assignment, Plan, Unfilled
from node.errors import RefusedError

ORDER = "17"
texts = st.text(max_size=8)
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12)
amounts = numbers.filter(bool)
days = st.dates(date(2020, 1, 1), date(2040, 1, 1))
pieces = st.builds(
    Assignment,
    order_id=st.sampled_from([ORDER, "18"]),
    line_id=texts,
    source_id=texts,
    item_key=texts,
    quantity=numbers,
    supply_on=days,
    ship_on=days,
    arrive_on=days,
    carrier=texts,
    service=texts,
    costs=st.dictionaries(texts, amounts, max_size=3),
    supply_index=st.integers(-1, 10**6),
)
opens = st.builds(Unfilled, order_id=st.sampled_from([ORDER, "18"]), line_id=texts, quantity=numbers, reason=texts)
plans = st.builds(
    Plan,
    assignments=st.lists(pieces, max_size=3).map(tuple),
    unfilled=st.lists(opens, max_size=2).map(tuple),
    cost=numbers,
    costs=st.dictionaries(texts, amounts, max_size=3),
    method=texts,
    status=texts,
    gap=st.floats(0, 1),
    bound=st.none(),
    seconds=st.none(),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from(["NaN", "Infinity", "-"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def through_text(plan: Plan) -> dict[str, Any]:
    """As the store keeps it."""
    made = json.loads(json.dumps(plan_fields(plan, ORDER), ensure_ascii=False))
    assert isinstance(made, dict)
    return made


@given(plans)
def test_the_part_of_one_order_survives_its_fields(plan: Plan) -> None:
    made = plan_of(through_text(plan))
    assert made is not None
    assert made.assignments == tuple(one for one in plan.assignments if one.order_id == ORDER)
    assert made.unfilled == tuple(one for one in plan.unfilled if one.order_id == ORDER)
    assert (made.method, made.status, made.gap) == (plan.method, plan.status, plan.gap)
    assert made.cost == sum((sum(one.costs.values()) for one in made.assignments), Decimal(0))
    assert through_text(made) == through_text(plan)


@given(plans, st.dictionaries(texts.map("x-{}".format), anything, max_size=3))
def test_fields_that_a_newer_version_adds_are_passed_over(plan: Plan, more: dict[str, Any]) -> None:
    fields = through_text(plan)
    newer = {**fields, **more, "pieces": [{**one, "x-new": 1} for one in fields["pieces"]]}
    assert plan_of(newer) == plan_of(fields)


@given(st.dictionaries(texts, anything, max_size=4))
def test_what_is_something_else_is_no_plan(fields: dict[str, Any]) -> None:
    fields.pop("pieces", None)
    assert plan_of(fields) is None


@given(plans.filter(lambda plan: any(one.order_id == ORDER for one in plan.assignments)), st.data())
def test_whatever_is_in_a_field_it_is_a_plan_or_refused(plan: Plan, data: st.DataObject) -> None:
    """An older version's fields, or damaged ones: never another error than the one that callers know."""
    fields = through_text(plan)
    place = data.draw(st.sampled_from([fields, fields["pieces"][0]]))
    name = data.draw(st.sampled_from(sorted(place)))
    if data.draw(st.booleans()):
        del place[name]
    else:
        place[name] = data.draw(anything)
    with suppress(RefusedError):
        made = plan_of(fields)
        assert made is None or all(one.quantity.is_finite() for one in made.assignments)


@pytest.mark.parametrize("name", ["line", "source", "item", "quantity", "from", "ships", "arrives", "costs", "supply"])
def test_a_piece_lacks_nothing(name: str) -> None:
    on = date(2026, 5, 4)
    piece = Assignment(
        order_id=ORDER, line_id="1", source_id="|A", item_key="i", quantity=Decimal(2), supply_on=on, ship_on=on,
        arrive_on=on, carrier="", service="", costs={}, supply_index=0,
    )  # fmt: skip
    fields = through_text(Plan(assignments=(piece,)))
    del fields["pieces"][0][name]
    with pytest.raises(RefusedError) as raised:
        plan_of(fields)
    assert raised.value.code == "bad-plan"
