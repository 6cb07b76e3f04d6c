"""Rules of sourcing: which one holds, what policies it makes, what is wrong with a file, and replays under others."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from node.config.default_rules import DEFAULT_RULES
from node.config.rules import RULES_FILE, describe_rules, load_rules, parse_rules, rules_in_force
from node.core.rules import (
    ORDER_TYPES,
    OrderFacts,
    RuleSet,
    approval_limit,
    approval_needed,
    facts_of,
    findings,
    findings_for,
    matching,
    policies,
    preferences,
    why_not,
)
from node.core.rules.choosing import sorted_weights
from node.core.rules.what_if import compare, replay
from node.core.sourcing.problem import (
    DemandLine,
    OrderDemand,
    Problem,
    Service,
    Source,
    Supply,
)
from node.core.sourcing.solve import solve
from node.errors import ConfigError

D = Decimal
TODAY = date(2026, 5, 4)
FILE = Path("/home/of/node/rules.toml")


def source(source_id: str, kind: str = "warehouse", **more: Any) -> Source:
    partner, _, location = source_id.partition("|")
    return Source(source_id=source_id, partner_id=partner, location=location, kind=kind, ship_on=TODAY, **more)


DC = source("|DC1", country="DE")
STORE = source("|SHOP", "store", country="DE")
SUPPLIER = source("0088:1|A", "supplier", country="FR", confidence=D("0.7"), lead_days=3)
SOURCES = (DC, STORE, SUPPLIER)
FACTS = OrderFacts(
    order_type="ship_to_home", country="DE", postal_code="25845", currency="EUR", value=D(100), items=("CHEW-1", "X")
)
BASE = """
[[rules]]
name = "rest"
otherwise = true
strategy = "best"
[strategies.best]
"""


def rules(text: str) -> RuleSet:
    made, faults = parse_rules(text, FILE)
    assert faults == []
    assert made is not None
    return made


def found(text: str) -> set[str]:
    return {one.rule for one in findings(rules(text))}


def allowed(text: str, facts: OrderFacts = FACTS) -> frozenset[str] | None:
    return policies(rules(text), facts, SOURCES)[0].allowed


def test_the_default_rules_are_sound_and_hold_for_every_type(tmp_path: Path) -> None:
    made, fault = rules_in_force(tmp_path)
    assert fault is None
    assert findings(made) == []
    assert findings_for(made, SOURCES) == [
        one for one in findings_for(made, SOURCES) if one.path == "strategies.logistics"
    ], "there is no logistics partner"
    for order_type in ORDER_TYPES:
        chosen = policies(made, replace(FACTS, order_type=order_type), SOURCES)
        assert chosen
        assert chosen[-1].on_failure == ("back_order",)
    drop = policies(made, replace(FACTS, order_type="drop_ship"), SOURCES)
    assert [one.allowed for one in drop] == [frozenset({"0088:1|A"})]
    pick = policies(made, replace(FACTS, order_type="pick_up"), SOURCES)
    assert [(one.strategy, one.allowed, one.on_failure) for one in pick] == [
        ("for a store/own", frozenset({"|DC1", "|SHOP"}), ("next_strategy",)),
        ("for a store/best", None, ("back_order",)),
    ]
    assert preferences(made, SOURCES) == {"|DC1": 1, "|SHOP": 1, "0088:1|A": 0}


def test_the_manual_explains_every_key_and_shows_the_default_rules() -> None:
    manual = describe_rules()
    assert DEFAULT_RULES in manual
    for key in ("approval_over", "postal_codes", "age_max_seconds", "late_per_day", "on_failure"):
        assert f"| `{key}` |" in manual


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ('order_types = ["ship_to_home", "transfer"]', True),
        ('order_types = ["transfer"]', False),
        ('countries = ["DE"]', True),
        ('countries = ["AT"]', False),
        ('postal_codes = ["258"]', True),
        ('postal_codes = ["26"]', False),
        ('items = ["CHEW-*"]', True),
        ('items = ["Y*"]', False),
        ('all_items = ["CHEW-*"]', False),
        ('all_items = ["CHEW-*", "X"]', True),
        ('brands = ["*"]\nchannels = ["shop"]', False),
        ("value_over = 99.99", True),
        ("value_over = 100", False),
        ("value_to = 100", True),
        ("value_to = 99", False),
        ("weight_to = 1", True),
        ("weight_over = 1", False),
        ("priority_min = 1", False),
        ('countries = ["DE"]\nvalue_over = 200', False),
    ],
)
def test_a_rule_holds_where_all_its_conditions_do(conditions: str, holds: bool) -> None:
    made = rules(f'[[rules]]\nname = "a"\nstrategy = "best"\n{conditions}\n{BASE}')
    rule = matching(made, FACTS)
    assert rule is not None
    assert (rule.name == "a") is holds


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("", None),
        ('kinds = ["store", "supplier"]', {"|SHOP", "0088:1|A"}),
        ('partners = ["-"]', {"|DC1", "|SHOP"}),
        ('partners = ["0088:*"]', {"0088:1|A"}),
        ('not_partners = ["0088:1"]', {"|DC1", "|SHOP"}),
        ('locations = ["S*"]', {"|SHOP"}),
        ('not_locations = ["S*"]', {"|DC1", "0088:1|A"}),
        ('countries = ["FR"]', {"0088:1|A"}),
        ("same_country = true", {"|DC1", "|SHOP"}),
        ("confidence_min = 0.8", {"|DC1", "|SHOP"}),
        ("lead_days_max = 2", {"|DC1", "|SHOP"}),
        ("age_max_seconds = 60", {"|DC1", "|SHOP"}),
        ('kinds = ["logistics"]', frozenset()),
        ("distance_max_km = 5", None),
    ],
)
def test_a_strategy_allows_the_sources_that_pass_its_filters(filters: str, expected: set[str] | None) -> None:
    assert allowed(BASE + filters) == (None if expected is None else frozenset(expected))


def test_the_age_of_figures_counts_where_it_is_known() -> None:
    text = BASE + "age_max_seconds = 60"
    assert allowed(text, replace(FACTS, ages={"0088:1|A": 60})) is None
    assert allowed(text, replace(FACTS, ages={"0088:1|A": 61})) == frozenset({"|DC1", "|SHOP"})
    told = why_not(rules(text).strategies["best"].filters, FACTS, SUPPLIER)
    assert told == "age_max_seconds: unknown is above 60"


def test_strategies_follow_one_another_and_limits_reach_the_policy() -> None:
    made = rules(
        '[[rules]]\nname = "r"\notherwise = true\nstrategy = "a"\n'
        '[strategies.a]\non_failure = "b"\nsplit_orders_max = 2\nsplit_lines = false\ncomplete = true\n'
        "late_allowed = false\nlate_per_day = 1.5\narrive_by_hard = true\nunfilled_cost = 7\nsplit_cost = 3\n"
        "distance_max_km = 100\nage_half_seconds = 60\nweights = { cost = 2, speed = 0.5 }\n"
        '[strategies.b]\non_failure = "cancel"\nsort = ["vicinity", "cost", "parcels"]\n'
    )
    first, second = policies(made, FACTS, SOURCES)
    assert (first.strategy, first.on_failure, first.split_orders_max, first.split_lines, first.complete) == (
        "r/a",
        ("next_strategy",),
        2,
        False,
        True,
    )
    assert (first.late_allowed, first.late_per_day, first.arrive_by_hard) == (False, D("1.5"), True)
    assert (first.unfilled_cost, first.split_cost, first.distance_max_km, first.age_half_seconds) == (
        D(7),
        D(3),
        D(100),
        60,
    )
    assert (first.weights.cost, first.weights.speed, first.weights.risk) == (D(2), D("0.5"), D(1))
    assert second.on_failure == ("cancel",)
    assert (second.weights.vicinity, second.weights.cost, second.weights.parcels) == (D(1000), D(1), D("0.001"))


def test_a_sort_without_cost_puts_it_last() -> None:
    made = sorted_weights(["speed", "parcels"])
    assert (made.speed, made.parcels, made.cost, made.vicinity, made.risk) == (D(1_000_000), D(1000), D(1), D(0), D(1))


@pytest.mark.parametrize(
    "goals",
    [
        ["parcels", "cost"],
        ["parcels"],
        ["vicinity", "speed", "cost"],
        ["cost", "parcels"],
        ["preference", "parcels", "speed", "vicinity", "risk"],
    ],
)
def test_no_goal_of_a_sort_is_met_best_by_sending_nothing(goals: list[str]) -> None:
    """A parcel or 1,000 km outweighed what stays open, so that orders were back-ordered beside full shelves."""
    (policy,) = policies(rules(BASE + f"sort = {goals}".replace("'", '"')), FACTS, SOURCES)
    supplies = [
        Supply(source_id=one.source_id, item_key="A", on=TODAY, quantity=D(9), unit_cost=D(50)) for one in SOURCES
    ]
    services = [
        Service(source_id=one.source_id, order_id="1", carrier="c", transit_days=9, cost_fixed=D(70)) for one in SOURCES
    ]
    line = DemandLine(line_id="1", item_key="A", quantity=D(1))
    order = OrderDemand(order_id="1", policy=policy, lines=(line,))
    problem = Problem(
        today=TODAY,
        orders=(order,),
        sources=tuple(SOURCES),
        supplies=tuple(supplies),
        services=tuple(services),
    )
    plan = solve(problem)
    assert (sum(one.quantity for one in plan.assignments), plan.unfilled) == (1, ())
    ranked = [getattr(policy.weights, goal) for goal in [*goals, *(["cost"] if "cost" not in goals else [])]]
    assert all(one >= 30 * other for one, other in pairwise(ranked))


def test_the_customers_wishes_count() -> None:
    made = rules(BASE + "weights = { vicinity = 3 }\nsplit_orders_max = 4")
    fast = policies(made, replace(FACTS, preference="fastest", no_split=True), SOURCES)[0]
    assert fast.weights.speed >= 1
    assert (fast.split_orders_max, fast.split_lines) == (1, False)
    assert policies(made, replace(FACTS, preference="cheapest"), SOURCES)[0].weights.vicinity == 0


def test_without_a_rule_a_human_is_asked() -> None:
    made = rules('[[rules]]\nname = "a"\nstrategy = "x"\ncountries = ["AT"]\n[strategies.x]\n')
    [policy] = policies(made, FACTS, SOURCES)
    assert (policy.allowed, policy.on_failure) == (frozenset(), ("human",))
    unknown, _ = parse_rules('[[rules]]\nname = "a"\nstrategy = "x"\n', FILE)
    assert unknown is not None
    assert policies(unknown, FACTS, SOURCES)[0].on_failure == ("human",)


def test_preferred_sources_by_place() -> None:
    made = rules('prefer = ["|DC*", "|*"]' + BASE)
    assert preferences(made, SOURCES) == {"|DC1": D(1), "|SHOP": D("0.5"), "0088:1|A": D(0)}
    assert preferences(rules(BASE), SOURCES) == dict.fromkeys(("|DC1", "|SHOP", "0088:1|A"), D(0))


def test_approval_over_an_amount() -> None:
    text = BASE.replace(
        "otherwise = true", 'otherwise = true\napproval_over = "99.99 EUR"\napproval_cost_over = "50 EUR"'
    )
    made = rules(text)
    assert "rule rest: approval_over: the order's value, 100, is above 99.99 EUR" in approval_needed(made, FACTS)
    assert approval_limit(made, FACTS) == D("99.99")
    assert approval_needed(made, replace(FACTS, value=D("99.99"))) == ""
    assert "the cost of its sourcing" in approval_needed(made, replace(FACTS, value=None), D(51))
    dollars = replace(FACTS, currency="USD")
    assert "cannot be compared" in approval_needed(made, dollars)
    assert approval_limit(made, dollars) == 0
    assert approval_limit(rules(BASE), FACTS) is None
    assert approval_needed(rules(BASE), FACTS, D(10**9)) == ""


RULE = '[[rules]]\nname = "a"\nstrategy = "best"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BASE, set()),
        ("", {"no-rules"}),
        (RULE + BASE, {"matches-everything", "shadowed-rule"}),
        (RULE + 'channels = ["*"]\n' + BASE, {"matches-everything", "shadowed-rule"}),
        (RULE + 'postal_codes = [""]\n' + BASE, {"matches-everything"}),
        (RULE + 'countries = ["UK"]\n' + BASE, {"matches-nothing"}),
        (RULE + "value_over = 5\nvalue_to = 5\n" + BASE, {"matches-nothing"}),
        (RULE + "otherwise = true\npriority_min = 3\n" + BASE, {"matches-everything"}),
        (RULE.replace("best", "bets") + "value_over = 5\n" + BASE, {"unknown-strategy"}),
        (BASE + "[strategies.other]\n", {"unreachable-strategy"}),
        (BASE + 'on_failure = "bets"\n', {"unknown-strategy"}),
        (BASE + 'on_failure = "best"\n', {"cycle"}),
        (BASE + 'on_failure = "b"\n[strategies.b]\non_failure = "c"\n[strategies.c]\non_failure = "b"\n', {"cycle"}),
        (BASE + 'countries = ["XX"]\n', {"matches-nothing"}),
        (BASE + 'not_partners = ["*"]\n', {"matches-nothing"}),
        (BASE + "split_orders_max = 0\n", {"matches-nothing"}),
        (BASE + 'sort = ["cost"]\nweights = { speed = 3 }\n', {"sort-and-weights"}),
        (
            RULE + 'countries = ["DE"]\n' + RULE.replace('"a"', '"b"') + 'countries = ["DE"]\nvalue_over = 5\n' + BASE,
            {"shadowed-rule"},
        ),
        (RULE + 'items = ["C*"]\n' + RULE.replace('"a"', '"b"') + 'all_items = ["CHEW-*"]\n' + BASE, {"shadowed-rule"}),
        (RULE + 'items = ["C*"]\n' + RULE.replace('"a"', '"b"') + 'items = ["D*"]\n' + BASE, set()),
        (RULE + "value_over = 5\n" + RULE.replace('"a"', '"b"') + "value_over = 4\n" + BASE, set()),
        (RULE + "value_over = 4\n" + RULE.replace('"a"', '"b"') + "value_over = 5\n" + BASE, {"shadowed-rule"}),
        (RULE + "value_over = 4\n" + RULE + "value_to = 4\n" + BASE, {"duplicate-rule"}),
        (RULE + 'order_types = ["transfer"]\n[strategies.best]\n', {"type-without-rule"}),
    ],
)
def test_what_is_wrong_with_rules(text: str, expected: set[str]) -> None:
    assert found(text) == expected


def test_findings_in_view_of_the_sources() -> None:
    def seen(filters: str, facts: OrderFacts | None = None) -> set[str]:
        return {one.rule for one in findings_for(rules(BASE + filters), SOURCES, facts)}

    assert seen("") == set()
    assert seen('kinds = ["logistics"]') == {"matches-nothing"}
    assert seen('partners = ["*"]') == {"matches-everything"}
    assert seen('kinds = ["store"]') == set()
    assert seen('countries = ["FR"]\nsame_country = true', FACTS) == {"no-source"}
    assert findings_for(rules(BASE), ()) == []


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("rule = 3", "rule", "one of prefer, rules, strategies"),
        ("[rules]", "rules", "[[rules]]"),
        ("[[rules]]", "rules[0].name", "missing"),
        (RULE + "colour = 3", "rules[0].colour", "not known"),
        (RULE + "otherwise = 1", "rules[0].otherwise", "true or false"),
        (RULE + 'order_types = ["by_air"]', "rules[0].order_types", "any of ship_to_home"),
        (RULE + "countries = 3", "rules[0].countries", "a list of texts"),
        (RULE + 'approval_over = "lots"', "rules[0].approval_over", "250.00 EUR"),
        (RULE + 'approval_over = "5 EURO"', "rules[0].approval_over", "250.00 EUR"),
        (RULE + "value_over = -1", "rules[0].value_over", "0 or more"),
        (RULE + "value_over = inf", "rules[0].value_over", "a number"),
        (RULE + "priority_min = 1.5", "rules[0].priority_min", "a whole number"),
        ("[strategies.x]\nkind = 3", "strategies.x.kind", "not known"),
        ('[strategies.x]\nkinds = ["shop"]', "strategies.x.kinds", "any of warehouse"),
        ("[strategies.x]\nconfidence_min = 80", "strategies.x.confidence_min", "0 to 1"),
        ("[strategies.x]\nweights = 3", "strategies.x.weights", "a table"),
        ("[strategies.x]\nweights = { costs = 3 }", "strategies.x.weights.costs", "not known"),
        ('[strategies.x]\nsort = ["price"]', "strategies.x.sort", "any of cost"),
        ("strategies = 3", "strategies", "a table"),
        ("x = [", "not TOML", ""),
    ],
)
def test_mistakes_name_the_file_the_key_and_what_was_expected(text: str, key: str, expected: str) -> None:
    _, faults = parse_rules(text, FILE)
    assert faults[0].message.startswith(f"{FILE}: {key}")
    assert expected in faults[0].message


def test_all_mistakes_are_told_at_once() -> None:
    _, faults = parse_rules(RULE + "a = 1\n" + RULE + "b = 1\n[strategies.x]\nc = 1\n[strategies.y]\nd = 1\n", FILE)
    assert [one.message.split(": ")[1] for one in faults] == [
        "rules[0].a",
        "rules[1].b",
        "strategies.x.c",
        "strategies.y.d",
    ]


def test_a_file_that_cannot_work_is_not_used_and_a_later_change_leaves_the_last_good_one(tmp_path: Path) -> None:
    path = tmp_path / RULES_FILE
    path.write_text(BASE + 'on_failure = "best"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"strategies\.best\.on_failure: strategies follow one another for ever"):
        load_rules(path)
    with pytest.raises(ConfigError, match="for ever"):
        rules_in_force(tmp_path)
    path.write_text(BASE, encoding="utf-8")
    good, fault = rules_in_force(tmp_path)
    assert [one.name for one in good.rules] == ["rest"]
    assert fault is None
    path.write_text(BASE + "nonsense = 1\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))
    kept, fault = rules_in_force(tmp_path)
    assert kept is good
    assert fault is not None
    assert "strategies.best.nonsense" in fault.message


# --- what-if ----------------------------------------------------------------------------------------------------------


def problem(stock: dict[str, int], wanted: int = 4) -> Problem:
    order = OrderDemand(
        order_id="7",
        kind="SHIP_TO_HOME",
        currency="EUR",
        country="DE",
        need_on=date(2026, 5, 6),
        lines=(DemandLine(line_id="1", item_key="i", quantity=D(wanted), weight_kg=D(1), price=D(10)),),
    )
    far = {"|DC1": (D(4), 1, D(10)), "|SHOP": (D(6), 1, D(1)), "0088:1|A": (D(1), 4, D(800))}
    return Problem(
        today=TODAY,
        orders=(order,),
        sources=(DC, STORE, replace(SUPPLIER, confidence=D(1))),
        supplies=tuple(Supply(source_id=key, item_key="i", quantity=D(n), on=TODAY) for key, n in stock.items()),
        services=tuple(
            Service(
                source_id=key,
                order_id="7",
                carrier="c",
                service="s",
                cost_fixed=cost,
                transit_days=days,
                distance_km=km,
            )
            for key, (cost, days, km) in far.items()
        ),
    )


def test_two_rule_sets_side_by_side() -> None:
    cheap = rules(BASE)
    own = rules(BASE + 'partners = ["-"]\nweights = { cost = 2 }\n')
    told = compare([problem({"|DC1": 9, "0088:1|A": 9})], cheap, own, solve)
    before, after = told.before["EUR"], told.after["EUR"]
    assert (before.cost, after.cost) == (D(1), D(4)), "as paid, whatever the weights"
    assert (before.distance_km, after.distance_km) == (D(800), D(10))
    assert (before.late_unit_days, after.late_unit_days) == (D(8), D(0))
    assert (before.fill_percent, after.fill_percent) == (D(100), D(100))
    [one] = told.differences
    assert (one.before.taken, one.after.taken) == ((("1", "0088:1|A", D(4)),), (("1", "|DC1", D(4)),))
    same = compare([problem({"|DC1": 9})], cheap, cheap, solve)
    assert (same.differences, same.orders) == ((), 1)


def test_what_a_strategy_leaves_open_goes_to_the_next_for_the_remainder_only() -> None:
    steps = rules(
        '[[rules]]\nname = "r"\notherwise = true\nstrategy = "own"\n'
        '[strategies.own]\npartners = ["-"]\non_failure = "any"\n[strategies.any]\non_failure = "cancel"\n'
    )
    whole = compare([problem({"|DC1": 3, "0088:1|A": 9})], steps, steps, solve).before["EUR"]
    assert (whole.filled, whole.splits, whole.parcels, whole.complete) == (D(4), 1, 2, 1)
    assert whole.cost == 5
    short = compare([problem({"|DC1": 3})], steps, rules(BASE), solve)
    assert (short.before["EUR"].filled, short.before["EUR"].complete) == (D(3), 0)
    assert short.before["EUR"].fill_percent == 75


def test_the_next_strategy_finds_the_orders_of_a_place_used_up() -> None:
    """Two orders want what is cheapest there, which sends one; the other one comes from elsewhere in the next turn."""
    one = problem({"|DC1": 9, "0088:1|A": 9})
    two = replace(one.orders[0], order_id="8")
    dear = [replace(way, cost_fixed=D(9)) if way.source_id == "0088:1|A" else way for way in one.services]
    both = replace(
        one,
        orders=(*one.orders, two),
        sources=(replace(DC, orders_left=1), *one.sources[1:]),
        services=(*dear, *(replace(way, order_id="8") for way in dear)),
    )
    steps = rules(BASE + 'partners = ["-"]\non_failure = "any"\n[strategies.any]\n')
    pieces, _ = replay(both, steps, solve)
    assert sorted((piece.source_id, piece.quantity) for piece in pieces) == [("0088:1|A", D(4)), ("|DC1", D(4))]


def test_the_facts_of_an_order() -> None:
    order = problem({}).orders[0]
    facts = facts_of(order, channel="shop", preference="FASTEST")
    assert (facts.order_type, facts.value, facts.weight_kg, facts.items) == ("ship_to_home", D(40), D(4), ("i",))
    assert (facts.channel, facts.preference) == ("shop", "fastest")
    assert facts_of(replace(order, lines=())).value is None
