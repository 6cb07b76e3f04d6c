"""Gathers a sourcing problem: the open lines of customer orders, and everywhere that they can come from.

Only reads, so that solving can go on outside any transaction: what has changed until the plan is carried out is found
by the ledger and by partners, who then say no, and the rest is sourced again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from node.app.context import Context
from node.app.sourcing import carriers
from node.app.sourcing import scarcity as scarce
from node.app.sourcing.site_facts import Sites
from node.app.stock import prices
from node.app.stock.known_stock import Known, Trading, load
from node.app.stock.promising import offered
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow
from node.core.decimals import from_scaled
from node.core.disruption import concerns, days_late, in_force_on
from node.core.finding import Finding
from node.core.item_key import GTIN_PREFIX
from node.core.kits import open_groups
from node.core.promise import Offer, lots_of
from node.core.promise_rows import ItemPriceRow
from node.core.rules import OrderFacts, RuleSet, facts_of, policies, preferences
from node.core.sourcing.problem import DemandLine, OrderDemand, Policy, Problem, Service, Source, Supply
from node.core.units import canonical_unit
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["Gathered", "Wanted", "gather"]

ORDERS_MAX = 1_000
_ZERO = Decimal(0)
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a customer order is to be sourced: lines with what of each is still open (scaled, in its unit)."""

    order: CustomerOrderRow
    lines: Sequence[tuple[CustomerLineRow, int]]
    strategy: int = 0
    """Which of the rules' strategies is tried, counted from 0; beyond the last one the last one counts."""
    excluded: frozenset[str] = frozenset()
    """Source ids that have said no, or must not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A problem with what is to be said about it."""

    problem: Problem
    findings: tuple[Finding, ...]
    missing: tuple[carriers.Question, ...]
    """What carriers should be asked for a better answer: for `carriers.refresh`, outside of the transaction."""
    facts: Mapping[str, OrderFacts] = field(default_factory=dict)
    policies: Mapping[str, tuple[Policy, ...]] = field(default_factory=dict)
    """By order id: all strategies of the rule that holds, in the order in which they are tried."""
    items: Mapping[str, str] = field(default_factory=dict)
    """The item key that each asked one is sourced under: one item has one supply, whatever its lines call it."""


def gather(
    tx: Transaction,
    ctx: Context,
    wanted: Sequence[Wanted],
    *,
    rule_set: RuleSet | None = None,
    scarcity: Mapping[tuple[str, str], Decimal] | None = None,
    gap: float = 0.0,
    seconds: float = 5.0,
    trade: Trading | None = None,
) -> Gathered:
    """The problem of sourcing these orders together; order ids are their `customer_order_id` as text.

    Without `scarcity`, the prices of scarce stock are those that were reckoned last; without `trade`, whom we trade
    with is read now.

    Quantities are in the unit of the item's first line. Raises RefusedError ``currencies`` when the orders are in
    several currencies, whose costs cannot be compared, and ``too-many`` for more than `ORDERS_MAX` orders.
    """
    if len({one.order.currency for one in wanted}) > 1:
        raise RefusedError("orders in several currencies cannot be sourced together", code="currencies")
    if len(wanted) > ORDERS_MAX:
        raise RefusedError(f"{len(wanted)} orders at once; at most {ORDERS_MAX} can be sourced", code="too-many")
    work = _Gathering(tx, ctx, wanted, trade)
    demands = [work.demand(one) for one in wanted]
    supplies, sources = work.supplies()
    if rule_set is not None:
        preferred = preferences(rule_set, sources)
        sources = [
            one if not preferred[one.source_id] else replace(one, preferred=preferred[one.source_id]) for one in sources
        ]
    freight = carriers.offers(tx, ctx, demands, sources)
    services = [one for one in freight.services if work.serves(one)]
    facts, chosen = _policies(rule_set, wanted, demands, sources, supplies, services)
    orders = [
        replace(demand, policy=_without(_strategy(chosen[demand.order_id], one.strategy), one.excluded, sources))
        for one, demand in zip(wanted, demands, strict=True)
    ]
    problem = Problem(
        today=ctx.now().date(),
        orders=tuple(orders),
        sources=tuple(sources),
        supplies=tuple(supplies),
        services=tuple(services),
        scarcity=work.scarcity() if scarcity is None else scarcity,
        gap=gap,
        seconds=seconds,
    )
    findings = tuple(dict.fromkeys([*work.known.findings, *work.findings, *freight.findings]))
    return Gathered(
        problem=problem,
        findings=findings,
        missing=freight.missing,
        facts=facts,
        policies=chosen,
        items=work.items,
    )


def _policies(
    rule_set: RuleSet | None,
    wanted: Sequence[Wanted],
    demands: Sequence[OrderDemand],
    sources: Sequence[Source],
    supplies: Sequence[Supply],
    services: Sequence[Service],
) -> tuple[dict[str, OrderFacts], dict[str, tuple[Policy, ...]]]:
    """What the rules say of each order; without rules, money alone counts."""
    ages: dict[str, int] = {}
    for supply in supplies:
        ages[supply.source_id] = max(ages.get(supply.source_id, 0), supply.age_seconds)
    distances: dict[str, dict[str, Decimal | None]] = {}
    for one in services:
        distances.setdefault(one.order_id, {})[one.source_id] = one.distance_km
    facts, chosen = {}, {}
    for each, demand in zip(wanted, demands, strict=True):
        facts[demand.order_id] = facts_of(
            demand,
            channel=each.order.channel,
            preference=each.order.preference,
            no_split=bool(each.order.no_split),
            ages=ages,
            distances=distances.get(demand.order_id, {}),
        )
        split = not each.order.no_split
        chosen[demand.order_id] = (
            policies(rule_set, facts[demand.order_id], sources)
            if rule_set is not None
            else (Policy(strategy="none", split_lines=split, split_orders_max=None if split else 1),)
        )
    return facts, chosen


def _strategy(found: tuple[Policy, ...], place: int) -> Policy:
    return found[min(place, len(found) - 1)]


def _without(policy: Policy, excluded: frozenset[str], sources: Sequence[Source]) -> Policy:
    if not excluded:
        return policy
    allowed = frozenset(one.source_id for one in sources) if policy.allowed is None else policy.allowed
    return replace(policy, allowed=allowed - excluded)


class _Gathering:
    """One problem in the making."""

    def __init__(self, tx: Transaction, ctx: Context, wanted: Sequence[Wanted], trade: Trading | None) -> None:
        self._tx = tx
        self._ctx = ctx
        self._today = ctx.now().date()
        self._currency = wanted[0].order.currency if wanted else ""
        asked = list(dict.fromkeys(line.item_key for one in wanted for line, _ in one.lines))
        self.known: Known = load(tx, ctx, asked, {one.order.customer_order_id for one in wanted}, trade)
        self.findings: list[Finding] = []
        self.items = self._one_name(asked)
        self._units: dict[str, str] = {}
        self._most: dict[str, Decimal] = {}
        self._price: dict[str, Decimal] = {}
        self._costs: dict[tuple[str, str, str], Decimal] = {}
        self._sites = Sites(tx, ctx, self.known.trading, self.known.disruptions, self._currency)
        keys = sorted({key for item in self.items.values() for key in self.known.keys[item]})
        self._prices: dict[str, dict[str, list[ItemPriceRow]]] = {}
        """By item key and partner."""
        for row in tx.offers.prices(keys):
            self._prices.setdefault(row.item_key, {}).setdefault(row.partner_id, []).append(row)
        self._sure: dict[tuple[Decimal, Decimal], Decimal] = {}

    def _one_name(self, asked: Sequence[str]) -> dict[str, str]:
        """Each item under the first of the names asked for that means the same, so that no stock is counted twice."""
        first: dict[str, str] = {}
        found = {}
        for item in asked:
            keys = self.known.keys[item]
            name = next((first[key] for key in keys if key in first), item)
            found[item] = name
            for key in keys:
                first.setdefault(key, name)
        return found

    # --- demand ---

    def demand(self, one: Wanted) -> OrderDemand:
        """An order's open lines; a line in a unit that does not fit the item's stays open, and is told."""
        order = one.order
        to = self._sites.address(order.collect_at) or (order.country, order.postal_code)
        lines = []
        groups = open_groups(one.lines)
        need = [order.need_on] if order.need_on else []
        for row, left in one.lines:
            if left <= 0:
                continue
            if row.need_on:
                need.append(row.need_on)
            line = self._line(row, left, splittable=not (row.no_split or order.no_split))
            parent, kits = groups.get(row.line_id, ("", 1))
            lines.append(replace(line, parent_line=parent, kits=kits))
        return OrderDemand(
            order_id=str(order.customer_order_id),
            kind=order.kind,
            priority=order.priority,
            currency=order.currency,
            need_on=_day(min(need, default=None)),
            not_after=_day(order.not_after),
            country=to[0],
            postal_code=to[1],
            collect_at=order.collect_at,
            lines=tuple(lines),
        )

    def _line(self, row: CustomerLineRow, left: int, *, splittable: bool) -> DemandLine:
        item = self.items[row.item_key]
        unit = self._units.setdefault(item, row.unit)
        quantity = from_scaled(left)
        price = None if row.price is None else from_scaled(row.price)
        if canonical_unit(unit) != canonical_unit(row.unit):
            text = f"line {row.line_id} is in {row.unit}, another line of the item in {unit}: source them apart"
            self.findings.append(Finding("unlike-units", f"orders.{row.customer_order_id}.lines.{row.line_id}", text))
            unit = row.unit
        self._most[item] = max(self._most.get(item, Decimal(0)), quantity)
        if price is not None:
            self._price.setdefault(item, price)
        return DemandLine(
            line_id=row.line_id,
            item_key=item,
            quantity=quantity,
            unit=unit,
            weight_kg=self._weight(item, unit),
            price=price,
            shelf_life_days_min=row.shelf_life_days,
            splittable=splittable,
        )

    def _weight(self, item: str, unit: str) -> Decimal:
        for offer in self.known.offers.get(item, ()):
            if offer.weight is not None and canonical_unit(offer.base_unit) == canonical_unit(unit):
                return from_scaled(offer.weight)
        return Decimal(0)

    # --- supply ---

    def supplies(self) -> tuple[list[Supply], list[Source]]:
        """Everything that places can promise of the items, and the places."""
        found: list[Supply] = []
        places: dict[tuple[str, str], Source] = {}
        for item in dict.fromkeys(self.items.values()):
            if item not in self._units:
                continue
            unit = self._units[item]
            told = bool(self.known.offers.get(item))
            # What is made of components is sourced by those: `node.app.fulfilment.taking_apart`.
            for offer in offered(self.known, item, unit, self._today, made=False):
                if not offer.steps or (told and self._ended(item, offer.partner_id)):
                    continue
                place = (offer.partner_id, offer.location)
                if place not in places:
                    places[place] = self._sites.source(*place)
                found += self._of_offer(item, unit, offer, places[place])
        return found, list(places.values())

    def _ended(self, item: str, partner_id: str) -> bool:
        """Whether the partner has told that the item cannot be ordered any more."""
        mine = [row for row in self.known.offers.get(item, ()) if row.partner_id == partner_id]
        return bool(partner_id and mine) and not any(row.orderable for row in mine)

    def _of_offer(self, item: str, unit: str, offer: Offer, source: Source) -> list[Supply]:
        """One supply for each day on which the place can promise more."""
        cost = self._known_cost(item, unit, offer)
        multiple, minimum, later = offer.multiple, _ZERO, 0
        if self.known.offers.get(item):
            multiple, minimum = self._ordering(item, unit, offer)
        if self.known.offers.get(item) or self.known.disruptions:
            later = self._later(item, offer)
        sure = self._surely(offer.confidence, source.confidence)
        found: list[Supply] = []
        before = _ZERO
        for step in offer.steps:
            fresh = step.quantity - before
            # What is there today lies in lots; what comes later has its life before it.
            there = bool(offer.lots) and step.on <= self._today
            for quantity, best_before_on in lots_of(offer.lots, fresh) if there else ((fresh, None),):
                found.append(
                    Supply(
                        source_id=source.source_id,
                        item_key=item,
                        quantity=quantity,
                        on=step.on + timedelta(days=later) if later else step.on,
                        unit_cost=cost,
                        multiple=multiple,
                        minimum=minimum,
                        best_before_on=best_before_on,
                        confidence=sure,
                        age_seconds=offer.age_seconds,
                        basis=offer.basis,
                        unit=unit,
                    )
                )
            before = step.quantity
        return found

    def _surely(self, figure: Decimal, source: Decimal) -> Decimal:
        """What the figure adds to the doubt that there is about its place anyway."""
        found = self._sure.get((figure, source))
        if found is None:
            found = min(_ONE, figure / source) if source else figure
            self._sure[figure, source] = found
        return found

    def _later(self, item: str, offer: Offer) -> int:
        """Days by which the item comes later from there than other goods: its own lead time, and notices of delay."""
        notices = [
            row
            for row in self.known.disruptions
            if row.item_key
            and in_force_on(row, self._today)
            and concerns(row, offer.partner_id, self.known.keys[item], offer.location)
        ]
        lead = 0
        if offer.partner_id:
            rows = [row for row in self.known.offers.get(item, ()) if row.partner_id == offer.partner_id]
            lead = max((row.lead_days or 0 for row in rows), default=0)
        return lead + days_late(notices, self._today)

    def _ordering(self, item: str, unit: str, offer: Offer) -> tuple[Decimal, Decimal]:
        """(multiple, minimum) of what is ordered there; our own goods come as they lie."""
        multiple, minimum = offer.multiple, _ZERO
        for row in self.known.offers.get(item, ()):
            if not offer.partner_id or row.partner_id != offer.partner_id:
                continue
            if canonical_unit(row.base_unit) != canonical_unit(unit):
                continue
            if row.order_multiple:
                multiple = _common(multiple, from_scaled(row.order_multiple))
            if row.order_minimum:
                minimum = max(minimum, from_scaled(row.order_minimum))
        return multiple, minimum

    def _known_cost(self, item: str, unit: str, offer: Offer) -> Decimal:
        """The cost, reckoned once for all places of a partner, and for each of ours where rules may tell them apart."""
        theirs = bool(offer.partner_id) or not self._ctx.settings.promising.costs
        place = (item, offer.partner_id, "" if theirs else offer.location)
        found = self._costs.get(place)
        if found is None:
            found = self._costs[place] = self._cost(item, unit, offer)
        return found

    def _cost(self, item: str, unit: str, offer: Offer) -> Decimal:
        """What a unit costs us there; where nobody has told it, what may stand in, so that nothing seems to be free."""
        keys = self.known.keys[item]
        most = self._most.get(item, _ONE)
        told = [self._prices[key] for key in keys if key in self._prices]
        factors = self.known.factors(item)
        # What a logistics partner keeps is ours: it sells nothing.
        theirs = bool(offer.partner_id) and self._sites.kind(offer.partner_id, offer.location) != "logistics"
        if theirs:
            mine = [row for one in told for row in one.get(offer.partner_id, ())]
            found = prices.unit_cost(mine, most, unit, self._today, factors, self._currency)
        else:
            found = prices.own_cost(self._ctx, _called(keys), offer.location, unit, factors, self._currency)
            others = [row for one in told for partner_id, rows in one.items() if partner_id for row in rows]
            found = found or prices.unit_cost(others, most, unit, self._today, factors, self._currency)
        if found is not None:
            return found.amount
        if theirs:
            text = f"{offer.partner_id} has told no price of {item} in {self._currency or 'any currency'}"
            self.findings.append(Finding("no-price", f"{offer.partner_id}|{offer.location}", text))
            return self._price[item] if item in self._price else self._dearest(item, unit)
        return Decimal(0)

    def _dearest(self, item: str, unit: str) -> Decimal:
        """The highest cost that is known of the item anywhere; zero where none is."""
        factors, most = self.known.factors(item), self._most.get(item, _ONE)
        each: dict[str, list[ItemPriceRow]] = {}
        for key in self.known.keys[item]:
            for partner_id, rows in self._prices.get(key, {}).items():
                each.setdefault(partner_id, []).extend(rows)
        found = [prices.unit_cost(one, most, unit, self._today, factors, self._currency) for one in each.values()]
        places = {one.location for one in self.known.positions.get(item, ()) if not one.partner_id}
        names = _called(self.known.keys[item])
        found += [prices.own_cost(self._ctx, names, one, unit, factors, self._currency) for one in places]
        return max((one.amount for one in found if one is not None), default=Decimal(0))

    def scarcity(self) -> dict[tuple[str, str], Decimal]:
        """The prices of scarce stock, under the names that the items have here."""
        kept = scarce.kept(self._tx, self._currency)
        if not kept:
            return {}
        names = {key: name for item, name in self.items.items() for key in [item, *self.known.keys[item]]}
        return {(source, names[item]): price for (source, item), price in kept.items() if item in names}

    def serves(self, service: Service) -> bool:
        """Whether the place sends goods, or lets customers collect them, as the service says."""
        partner_id, _, location = service.source_id.rpartition("|")
        if service.basis == "collect":
            return self._sites.collects(partner_id, location)
        return self._sites.sends(partner_id, location)


def _called(keys: Sequence[str]) -> list[str]:
    """What settings may call an item: its keys, the numbers in them, and its GTIN without leading zeros."""
    names = [*keys, *(key.rpartition(":")[2] for key in keys)]
    return names + [key.removeprefix(GTIN_PREFIX).lstrip("0") for key in keys if key.startswith(GTIN_PREFIX)]


def _common(one: Decimal, other: Decimal) -> Decimal:
    """The least number that is a multiple of both; the larger one where they are no whole numbers."""
    if one <= 0 or other <= 0:
        return max(one, other)
    if one == one.to_integral_value() and other == other.to_integral_value():
        return Decimal(math.lcm(int(one), int(other)))
    return max(one, other)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
