"""What is wrong with a rule set before it decides anything: cycles, rules for everything or nothing, dead parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from node.core.finding import Finding
from node.core.iso_codes import is_country
from node.core.rules.choosing import chain, policies, why_not
from node.core.rules.values import (
    FAILURE_ACTIONS,
    ORDER_TYPES,
    Conditions,
    OrderFacts,
    Rule,
    RuleSet,
    Strategy,
)
from node.core.sharing import matches
from node.core.sourcing.problem import Source

__all__ = ["FATAL", "findings", "findings_for"]

FATAL = frozenset({"unknown-strategy", "cycle", "no-rules", "matches-nothing", "duplicate-rule"})
"""Findings with which a rule set is not used."""


def findings(rule_set: RuleSet) -> list[Finding]:
    """Everything that looks wrong; empty for a sound set. `path` is the key in the file.

    Rules: ``no-rules``, ``duplicate-rule``, ``unknown-strategy``, ``cycle``, ``unreachable-strategy``,
    ``matches-everything``, ``matches-nothing``, ``shadowed-rule``, ``type-without-rule``, ``sort-and-weights``.
    """
    return [*_rules(rule_set), *_strategies(rule_set), *_covered(rule_set)]


def findings_for(rule_set: RuleSet, sources: Sequence[Source], facts: OrderFacts | None = None) -> list[Finding]:
    """What is wrong in view of the sources there are: strategies that allow none or, with filters, all of them.

    With `facts` of an order also whether that order gets a source at all.
    """
    found = [one for name in rule_set.strategies for one in _in_view(rule_set.strategies[name], sources)]
    if facts is not None and sources:
        made = policies(rule_set, facts, sources)
        if all(one.allowed is not None and not one.allowed for one in made):
            text = f"an order of type {facts.order_type} gets no source: {made[0].strategy} allows none"
            found.append(Finding("no-source", "rules", text))
    return found


def _rules(rule_set: RuleSet) -> Iterator[Finding]:
    if not rule_set.rules:
        yield Finding("no-rules", "rules", "at least one rule is expected: nothing would be sourced")
    seen: dict[str, int] = {}
    for place, rule in enumerate(rule_set.rules):
        at = f"rules[{place}]"
        if rule.name in seen:
            yield Finding("duplicate-rule", f"{at}.name", f"{rule.name!r} is the name of rules[{seen[rule.name]}] too")
        seen.setdefault(rule.name, place)
        if rule.strategy not in rule_set.strategies:
            known = ", ".join(rule_set.strategies) or "none"
            text = f"one of the strategies ({known}) is expected, not {rule.strategy!r}"
            yield Finding("unknown-strategy", f"{at}.strategy", text)
        yield from _matching(rule, at)
        earlier = next((one for one in rule_set.rules[:place] if _covers(one.when, rule.when)), None)
        if earlier is not None:
            text = f"rule {rule.name!r} never decides: whatever it holds for, {earlier.name!r} before it holds for too"
            yield Finding("shadowed-rule", at, text)


def _matching(rule: Rule, at: str) -> Iterator[Finding]:
    """Whether the rule holds for everything without saying so, or for nothing."""
    when = rule.when
    if not when.stated and not rule.otherwise:
        text = f"rule {rule.name!r} has no condition and holds for everything; say otherwise = true if that is meant"
        yield Finding("matches-everything", at, text)
    if rule.otherwise and when.stated:
        text = (
            f"rule {rule.name!r} is otherwise and has conditions ({', '.join(when.stated)}); expected one or the other"
        )
        yield Finding("matches-everything", f"{at}.otherwise", text)
    for name in ("channels", "items", "all_items", "brands"):
        if "*" in getattr(when, name) and not rule.otherwise and len(when.stated) == 1:
            text = f"rule {rule.name!r} holds for everything: {name} is *"
            yield Finding("matches-everything", f"{at}.{name}", text)
    for low, high in (("value_over", "value_to"), ("weight_over", "weight_to")):
        least, most = getattr(when, low), getattr(when, high)
        if least is not None and most is not None and least >= most:
            text = f"rule {rule.name!r} holds for nothing: {low} {least:f} is expected to be below {high} {most:f}"
            yield Finding("matches-nothing", f"{at}.{low}", text)
    for name in when.countries:
        if not is_country(name):
            text = f"an ISO 3166-1 code such as DE is expected, not {name!r}: no order has it"
            yield Finding("matches-nothing", f"{at}.countries", text)
    if any(not code.strip(" -") for code in when.postal_codes):
        text = f"rule {rule.name!r}: the beginning of a postal code is expected; an empty one holds for every place"
        yield Finding("matches-everything", f"{at}.postal_codes", text)


def _strategies(rule_set: RuleSet) -> Iterator[Finding]:
    reached = {one.name for rule in rule_set.rules for one in chain(rule_set, rule.strategy)}
    for name, one in rule_set.strategies.items():
        at = f"strategies.{name}"
        follow = one.on_failure
        if follow not in FAILURE_ACTIONS and follow not in rule_set.strategies:
            known = ", ".join((*FAILURE_ACTIONS, *rule_set.strategies))
            yield Finding("unknown-strategy", f"{at}.on_failure", f"one of {known} is expected, not {follow!r}")
        if name not in reached:
            yield Finding("unreachable-strategy", at, f"no rule leads to strategy {name!r}: it is never used")
        yield from _filters(one, at)
    yield from _cycles(rule_set)


def _filters(one: Strategy, at: str) -> Iterator[Finding]:
    for country in one.filters.countries:
        if not is_country(country):
            text = f"an ISO 3166-1 code such as DE is expected, not {country!r}: no source has it"
            yield Finding("matches-nothing", f"{at}.countries", text)
    if "*" in one.filters.not_partners or "*" in one.filters.not_locations:
        yield Finding("matches-nothing", at, f"strategy {one.name!r} excludes every source")
    if one.filters.confidence_min is not None and one.filters.confidence_min > 1:
        yield Finding("matches-nothing", f"{at}.confidence_min", "0 to 1 is expected: no source is that certain")
    if one.split_orders_max == 0:
        text = "1 or more is expected: an order from no source is no order"
        yield Finding("matches-nothing", f"{at}.split_orders_max", text)
    if one.sort and one.weights != type(one.weights)():
        yield Finding("sort-and-weights", at, f"strategy {one.name!r} has sort and weights: the weights do not count")


def _cycles(rule_set: RuleSet) -> Iterator[Finding]:
    """Each cycle once, told at its first strategy in the file."""
    told: set[frozenset[str]] = set()
    for name in rule_set.strategies:
        walked = chain(rule_set, name)
        if not walked:
            continue
        back = walked[-1].on_failure
        if back in rule_set.strategies:
            names = [one.name for one in walked]
            cycle = names[names.index(back) :]
            if frozenset(cycle) not in told:
                told.add(frozenset(cycle))
                text = f"strategies follow one another for ever: {' -> '.join((*cycle, back))}; one must end otherwise"
                yield Finding("cycle", f"strategies.{cycle[-1]}.on_failure", text)


def _covered(rule_set: RuleSet) -> Iterator[Finding]:
    """Order types for which no rule holds, whatever else the order is."""
    if any(not rule.when.stated for rule in rule_set.rules):
        return
    for order_type in ORDER_TYPES:
        whole = Conditions(order_types=(order_type,))
        if rule_set.rules and not any(_covers(rule.when, whole) for rule in rule_set.rules):
            text = f"orders of type {order_type} can fall through all rules and then wait for a human"
            yield Finding("type-without-rule", "rules", f"{text}; a last rule with otherwise = true holds for the rest")


def _in_view(one: Strategy, sources: Sequence[Source]) -> Iterator[Finding]:
    if not sources or not one.filters.stated:
        return
    # Age and country are the order's to know: they are taken for fitting.
    passing = 0
    for source in sources:
        facts = OrderFacts(order_type="", country=source.country, ages={source.source_id: 0})
        passing += not why_not(one.filters, facts, source)
    at = f"strategies.{one.name}"
    if not passing:
        text = f"strategy {one.name!r} allows none of the {len(sources)} sources there are"
        yield Finding("matches-nothing", at, text)
    elif passing == len(sources) and set(one.filters.stated) <= {"kinds", "partners", "locations", "countries"}:
        text = f"strategy {one.name!r} has filters ({', '.join(one.filters.stated)}), and every source passes them"
        yield Finding("matches-everything", at, text)


def _covers(wide: Conditions, narrow: Conditions) -> bool:
    """Whether `wide` surely holds wherever `narrow` does; no claim is made where that cannot be seen."""
    return all(_implied(name, wide, narrow) for name in wide.stated)


def _implied(name: str, wide: Conditions, narrow: Conditions) -> bool:
    asked, given = getattr(wide, name), getattr(narrow, name)
    if name == "items" and not given:
        given = narrow.all_items
    if given in ((), None):
        return name in ("channels", "items") and "*" in asked
    if isinstance(asked, Decimal | int):
        return bool(given <= asked) if name.endswith("_to") else bool(given >= asked)
    if name == "postal_codes":
        return all(any(code.startswith(one) for one in asked) for code in given)
    if name in ("order_types", "countries"):
        return set(given) <= set(asked)
    # A pattern that matches another one's own text holds wherever that one does.
    return all(any(matches(other, one) for other in asked) for one in given)
