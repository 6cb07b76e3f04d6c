"""A sourcing problem survives its text, whatever is in it, and what is no problem is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.sourcing.problem import (
    DemandLine,
    OrderDemand,
    Policy,
    Problem,
    Service,
    Source,
    Supply,
    Weights,
)
from node.core.sourcing.problem_json import from_fields, from_json, to_fields, to_json
from node.errors import RefusedError

texts = st.text(max_size=8)
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12)
days = st.dates(date(2020, 1, 1), date(2040, 1, 1))
policies = st.builds(
    Policy,
    strategy=texts,
    weights=st.builds(Weights, cost=numbers, speed=numbers),
    split_orders_max=st.none() | st.integers(1, 9),
    split_lines=st.booleans(),
    allowed=st.none() | st.frozensets(texts, max_size=3),
    distance_max_km=st.none() | numbers,
    on_failure=st.lists(texts, max_size=2).map(tuple),
)
lines = st.builds(
    DemandLine, line_id=texts, item_key=texts, quantity=numbers, price=st.none() | numbers, splittable=st.booleans()
)
orders = st.builds(
    OrderDemand,
    order_id=texts,
    kind=texts,
    priority=st.integers(0, 9),
    need_on=st.none() | days,
    lines=st.lists(lines, max_size=3).map(tuple),
    policy=policies,
)
problems = st.builds(
    Problem,
    today=days,
    orders=st.lists(orders, max_size=2).map(tuple),
    sources=st.lists(st.builds(Source, source_id=texts, ship_on=days, confidence=numbers), max_size=2).map(tuple),
    supplies=st.lists(
        st.builds(Supply, source_id=texts, item_key=texts, quantity=numbers, on=days, best_before_on=st.none() | days),
        max_size=2,
    ).map(tuple),
    services=st.lists(
        st.builds(Service, source_id=texts, order_id=texts, distance_km=st.none() | numbers), max_size=2
    ).map(tuple),
    scarcity=st.dictionaries(st.tuples(texts, texts), numbers, max_size=3),
    gap=st.floats(0, 1),
    seconds=st.floats(0, 60),
)


@given(problems)
def test_a_problem_survives_its_text(problem: Problem) -> None:
    text = to_json(problem)
    assert from_json(text) == problem
    assert to_json(from_json(text)) == text


def test_what_is_default_is_left_out() -> None:
    assert to_json(Problem(today=date(2026, 5, 4))) == '{"version":2,"today":"2026-05-04"}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "{}",
        '{"version":9,"today":"2026-05-04"}',
        '{"version":2}',
        '{"version":2,"today":"4 May"}',
        '{"version":2,"today":20260504}',
        '{"version":2,"today":null}',
        '{"version":2,"today":"2026-05-04","colour":1}',
        '{"version":2,"today":"2026-05-04","orders":[]}',
        '{"version":2,"today":"2026-05-04","orders":[3]}',
        '{"version":2,"today":"2026-05-04","orders":{"order_id":[3]}}',
        '{"version":2,"today":"2026-05-04","orders":{"order_id":["1"],"priority":[true]}}',
        '{"version":2,"today":"2026-05-04","supplies":{"source_id":["a"]}}',
        '{"version":2,"today":"2026-05-04","orders":{"order_id":["1","2"],"priority":[1]}}',
        '{"version":2,"today":"2026-05-04","orders":{"order_id":"1"}}',
        '{"version":2,"today":"2026-05-04","orders":{"order_id":[null]}}',
        '{"version":2,"today":"2026-05-04","scarcity":[["a","b"]]}',
        '{"version":2,"today":"2026-05-04","scarcity":[["a","b",1]]}',
        '{"version":2,"today":"2026-05-04","gap":"0"}',
        '{"version":2,"today":"2026-05-04","scarcity":[["a","b","NaN"]]}',
        '{"version":2,"today":"2026-05-04","scarcity":[["a","b","Infinity"]]}',
        '{"version":0,"today":"2026-05-04"}',
        '{"version":1,"today":"2026-05-04"}',
        '{"version":"2","today":"2026-05-04"}',
        '{"today":"2026-05-04"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_problem_is_refused(text: str) -> None:
    with pytest.raises(RefusedError) as raised:
        from_json(text)
    assert raised.value.code == "bad-problem"


def test_numbers_keep_their_value() -> None:
    problem = Problem(
        today=date(2026, 5, 4), scarcity={("|A", "i"): Decimal("1E+3")}, orders=(OrderDemand(order_id="1"),)
    )
    assert from_json(to_json(problem)).scarcity == {("|A", "i"): 1000}


@given(problems, st.data())
def test_a_field_that_nobody_knows_is_refused_wherever_it_stands(problem: Problem, data: st.DataObject) -> None:
    """A newer version's field may change what the problem means: it is not passed over."""
    fields = to_fields(problem)
    objects = [fields, *(fields[name] for name in ("orders", "sources", "supplies") if name in fields)]
    data.draw(st.sampled_from(objects))["x-new"] = data.draw(st.none() | texts)
    with pytest.raises(RefusedError) as raised:
        from_fields(fields)
    assert raised.value.code == "bad-problem"


@given(problems, st.data())
def test_whatever_is_in_a_field_it_is_a_problem_or_refused(problem: Problem, data: st.DataObject) -> None:
    fields = to_fields(problem)
    objects = [fields, *(fields[name] for name in ("orders", "sources", "supplies") if name in fields)]
    place = data.draw(st.sampled_from([one for one in objects if one]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(
        st.none() | st.booleans() | st.integers() | st.floats() | texts | st.lists(texts, max_size=2) | st.just({})
    )
    with suppress(RefusedError):
        made = from_fields(fields)
        assert from_json(to_json(made)) == made


def of_type(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, so that a field that is added to a class is tried without a word here."""
    if get_origin(kind) is UnionType:
        return st.one_of(*(of_type(one) for one in get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(of_type(get_args(kind)[0]), max_size=2).map(tuple)
    if get_origin(kind) is frozenset:
        return st.frozensets(texts, max_size=2)
    if get_origin(kind) is Mapping:
        return st.dictionaries(st.tuples(texts, texts), numbers, max_size=2)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{one.name: of_type(hints[one.name]) for one in dataclasses.fields(kind)})
    simple: dict[Any, st.SearchStrategy[Any]] = {
        type(None): st.none(), str: texts, bool: st.booleans(), int: st.integers(0, 10**9),
        float: st.floats(0, 60), Decimal: numbers, date: days,
    }  # fmt: skip
    return simple[kind]


@given(of_type(Problem))
def test_every_field_of_a_problem_survives(problem: Problem) -> None:
    assert from_json(to_json(problem)) == problem
