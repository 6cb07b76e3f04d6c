"""Applies rules to an order: which rule holds, which strategies follow one another, and the policy of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from node.core.freight.table import normal_postal_code
from node.core.rules.values import (
    FAILURE_ACTIONS,
    NEXT_STRATEGY,
    OWN,
    Amount,
    Filters,
    OrderFacts,
    Rule,
    RuleSet,
    Strategy,
)
from node.core.sharing import matches
from node.core.sourcing.limits import LIMIT
from node.core.sourcing.problem import OrderDemand, Policy, Source, Weights

__all__ = [
    "SORT_STEP",
    "approval_limit",
    "approval_needed",
    "chain",
    "facts_of",
    "holds",
    "matching",
    "policies",
    "preferences",
    "sorted_weights",
    "why_not",
]

SORT_STEP = Decimal(1_000)
"""By how much an earlier goal of a sort outweighs the next one: 100 km, a day, a parcel against so much money."""
SORT_MAX = Decimal(10) ** 9
"""The highest weight of a goal in a sort; steps are smaller where so many come before cost that it would be passed."""

HURRY = Decimal(5)
"""What a day is worth, for each line, to a customer who asked for the fastest way."""

_ZERO = Decimal(0)
_ONE = Decimal(1)


def facts_of(
    order: OrderDemand,
    *,
    channel: str = "",
    brands: Sequence[str] = (),
    preference: str = "",
    no_split: bool = False,
    ages: Mapping[str, int] | None = None,
    distances: Mapping[str, Decimal | None] | None = None,
) -> OrderFacts:
    """What rules see of this order; what the order does not say is given beside it."""
    priced = [line.price * line.quantity for line in order.lines if line.price is not None]
    return OrderFacts(
        order_type=order.kind.lower(),
        country=order.country,
        postal_code=order.postal_code,
        currency=order.currency,
        value=sum(priced, _ZERO) if priced else None,
        weight_kg=sum((line.weight_kg * line.quantity for line in order.lines), _ZERO),
        priority=order.priority,
        channel=channel,
        items=tuple(line.item_key for line in order.lines),
        brands=tuple(brands),
        preference=preference.lower(),
        no_split=no_split,
        ages=ages or {},
        distances=distances or {},
    )


def matching(rule_set: RuleSet, facts: OrderFacts) -> Rule | None:
    """The first rule that holds; None where none does."""
    return next((rule for rule in rule_set.rules if holds(rule, facts)), None)


def chain(rule_set: RuleSet, strategy: str) -> tuple[Strategy, ...]:
    """The strategies from this one on, each once: a cycle ends where it would begin again."""
    found: dict[str, Strategy] = {}
    name = strategy
    while name in rule_set.strategies and name not in found:
        found[name] = rule_set.strategies[name]
        name = found[name].on_failure
    return tuple(found.values())


def policies(rule_set: RuleSet, facts: OrderFacts, sources: Sequence[Source]) -> tuple[Policy, ...]:
    """The strategies for this order, in the order in which they are tried.

    A policy's `strategy` reads ``rule/strategy``; its `on_failure` is ("next_strategy",) or the last action. Where no
    rule holds, nothing is sourced: one policy without any source that asks a human.
    """
    rule = matching(rule_set, facts)
    if rule is None:
        return (Policy(strategy="no rule", allowed=frozenset(), on_failure=("human",)),)
    found = chain(rule_set, rule.strategy)
    if not found:
        return (Policy(strategy=f"{rule.name}/{rule.strategy}", allowed=frozenset(), on_failure=("human",)),)
    last = len(found) - 1
    return tuple(_policy(rule, one, facts, sources, follows=place < last) for place, one in enumerate(found))


def _policy(rule: Rule, one: Strategy, facts: OrderFacts, sources: Sequence[Source], *, follows: bool) -> Policy:
    allowed = frozenset(source.source_id for source in sources if not why_not(one.filters, facts, source))
    action = one.on_failure if one.on_failure in FAILURE_ACTIONS else "human"
    weights = sorted_weights(one.sort) if one.sort else one.weights
    return Policy(
        strategy=f"{rule.name}/{one.name}",
        weights=_wished(weights, facts),
        split_orders_max=1 if facts.no_split else one.split_orders_max,
        split_lines=one.split_lines and not facts.no_split,
        allowed=None if len(allowed) == len({source.source_id for source in sources}) else allowed,
        late_allowed=one.late_allowed,
        late_per_day=one.late_per_day,
        distance_max_km=one.filters.distance_max_km,
        arrive_by_hard=one.arrive_by_hard,
        unfilled_cost=_unfilled(one, weights),
        complete=one.complete,
        on_failure=(NEXT_STRATEGY if follows else action,),
        split_cost=one.split_cost,
        age_half_seconds=one.age_half_seconds,
    )


def _unfilled(one: Strategy, weights: Weights) -> Decimal:
    """What an open unit costs. In a sort it comes before every goal: nothing sent is the fewest parcels of all."""
    if not one.sort:
        return one.unfilled_cost
    goals = (weights.cost, weights.speed, weights.vicinity, weights.parcels, weights.preference, weights.risk)
    return min(one.unfilled_cost * max(goals), LIMIT)


def _wished(weights: Weights, facts: OrderFacts) -> Weights:
    """The weights with what the customer asked for on top."""
    if facts.preference == "fastest":
        return replace(weights, speed=max(weights.speed, HURRY * max(weights.cost, _ONE)))
    if facts.preference == "cheapest":
        return replace(weights, speed=_ZERO, vicinity=_ZERO, preference=_ZERO, parcels=_ZERO)
    return weights


def sorted_weights(sort: Sequence[str]) -> Weights:
    """Goals in order of importance as weights: each outweighs the next by SORT_STEP, money counts plainly.

    Cost comes last where it is not named. What comes before it is worth SORT_STEP units of money and more, what comes
    after it a thousandth and less, so that it only decides between offers that cost the same. With more than three
    goals before cost the steps are smaller.
    """
    order = [*sort, *(["cost"] if "cost" not in sort else [])]
    pivot = order.index("cost")
    step = SORT_STEP
    while step**pivot > SORT_MAX:
        step = (step / 2).to_integral_value()
    values = {goal: step ** (pivot - place) for place, goal in enumerate(order)}
    return Weights(**{"risk": _ONE, **values})


def preferences(rule_set: RuleSet, sources: Iterable[Source]) -> dict[str, Decimal]:
    """How much each source is preferred, 0 to 1: what the first pattern names 1, the next ones evenly less."""
    count = len(rule_set.prefer)
    found = {}
    for source in sources:
        places = (place for place, one in enumerate(rule_set.prefer) if matches(one, source.source_id))
        place = next(places, count)
        found[source.source_id] = Decimal(count - place) / count if count else _ZERO
    return found


# --- conditions and filters -------------------------------------------------------------------------------------------


def holds(rule: Rule, facts: OrderFacts) -> bool:
    """Whether all conditions of the rule hold for the order."""
    when = rule.when
    return all(_CONDITIONS[name](getattr(when, name), facts) for name in when.stated)


def _over(limit: Decimal, value: Decimal | None) -> bool:
    return value is not None and value > limit


def _to(limit: Decimal, value: Decimal | None) -> bool:
    return value is not None and value <= limit


def _like(text: str, patterns: Sequence[str]) -> bool:
    return any(matches(one, text) for one in patterns)


_CONDITIONS: Mapping[str, Callable[[Any, OrderFacts], bool]] = {
    "order_types": lambda wanted, facts: facts.order_type in wanted,
    "channels": lambda wanted, facts: _like(facts.channel, wanted),
    "countries": lambda wanted, facts: facts.country in wanted,
    "postal_codes": lambda wanted, facts: normal_postal_code(facts.postal_code).startswith(
        tuple(map(normal_postal_code, wanted))
    ),
    "items": lambda wanted, facts: any(_like(item, wanted) for item in facts.items),
    "all_items": lambda wanted, facts: bool(facts.items) and all(_like(item, wanted) for item in facts.items),
    "brands": lambda wanted, facts: any(_like(brand, wanted) for brand in facts.brands),
    "value_over": lambda limit, facts: _over(limit, facts.value),
    "value_to": lambda limit, facts: _to(limit, facts.value),
    "weight_over": lambda limit, facts: _over(limit, facts.weight_kg),
    "weight_to": lambda limit, facts: _to(limit, facts.weight_kg),
    "priority_min": lambda least, facts: facts.priority >= least,
}


def why_not(filters: Filters, facts: OrderFacts, source: Source) -> str:
    """The filter that excludes the source, with what it asks for; "" where none does.

    The distance is left to the policy, which knows the carriers' services. A figure of a partner without known age is
    as old as can be; our own are always fresh.
    """
    partner = source.partner_id or OWN
    if filters.kinds and source.kind not in filters.kinds:
        return f"kinds: {source.kind} is none of {', '.join(filters.kinds)}"
    if filters.partners and not _like(partner, filters.partners):
        return f"partners: {partner} is none of {', '.join(filters.partners)}"
    if _like(partner, filters.not_partners):
        return f"not_partners: {partner} is among {', '.join(filters.not_partners)}"
    if filters.locations and not _like(source.location, filters.locations):
        return f"locations: {source.location} is none of {', '.join(filters.locations)}"
    if _like(source.location, filters.not_locations):
        return f"not_locations: {source.location} is among {', '.join(filters.not_locations)}"
    if filters.countries and source.country not in filters.countries:
        return f"countries: {source.country or 'unknown'} is none of {', '.join(filters.countries)}"
    if filters.same_country and source.country != facts.country:
        return f"same_country: {source.country or 'unknown'} is not {facts.country or 'known'}"
    return _too_much(filters, facts, source)


def _too_much(filters: Filters, facts: OrderFacts, source: Source) -> str:
    if filters.confidence_min is not None and source.confidence < filters.confidence_min:
        return f"confidence_min: {source.confidence:f} is below {filters.confidence_min:f}"
    if filters.lead_days_max is not None and source.lead_days > filters.lead_days_max:
        return f"lead_days_max: {source.lead_days} is above {filters.lead_days_max}"
    if filters.age_max_seconds is not None and source.partner_id:
        age = facts.ages.get(source.source_id)
        if age is None or age > filters.age_max_seconds:
            return f"age_max_seconds: {'unknown' if age is None else age} is above {filters.age_max_seconds}"
    return ""


# --- approval ---------------------------------------------------------------------------------------------------------


def approval_needed(rule_set: RuleSet, facts: OrderFacts, cost: Decimal | None = None) -> str:
    """Why a human must approve the order, "" where nobody must. `cost` is that of its sourcing, where it is known."""
    rule = matching(rule_set, facts)
    if rule is None:
        return ""
    return _above(rule, "approval_over", "the order's value", rule.approval_over, facts.value, facts) or _above(
        rule, "approval_cost_over", "the cost of its sourcing", rule.approval_cost_over, cost, facts
    )


def _above(rule: Rule, key: str, what: str, limit: Amount | None, value: Decimal | None, facts: OrderFacts) -> str:
    if limit is None or value is None:
        return ""
    if facts.currency != limit.currency:
        said = facts.currency or "no currency"
        return f"rule {rule.name}: {key}: {what} is in {said} and cannot be compared with {limit}"
    return f"rule {rule.name}: {key}: {what}, {value:f}, is above {limit}" if value > limit.value else ""


def approval_limit(rule_set: RuleSet, facts: OrderFacts) -> Decimal | None:
    """The sales value above which a human approves the order, in its currency; None: nobody must.

    0 where the limit is in another currency, so that a human looks.
    """
    rule = matching(rule_set, facts)
    if rule is None or rule.approval_over is None:
        return None
    return rule.approval_over.value if rule.approval_over.currency == facts.currency else _ZERO
