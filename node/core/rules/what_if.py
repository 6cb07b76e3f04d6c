"""Replays past sourcing problems under two rule sets, so that rules can be judged before they go live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from node.core.rules.choosing import facts_of, policies, preferences
from node.core.rules.values import NEXT_STRATEGY, OrderFacts, RuleSet
from node.core.sourcing.problem import (
    Assignment,
    DemandLine,
    OrderDemand,
    Plan,
    Policy,
    Problem,
    Service,
    Source,
    Supply,
)

__all__ = ["Comparison", "Difference", "Outcome", "Totals", "compare", "outcomes", "replay", "totals"]

Solve = Callable[[Problem], Plan]

ROUNDS_MAX = 20
"""Strategies that are tried one after the other at most."""

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one order fared. Money in the order's currency, quantities in base units, distance per parcel in km."""

    order_id: str
    currency: str
    wanted: Decimal
    filled: Decimal
    goods: Decimal = _ZERO
    freight: Decimal = _ZERO
    handling: Decimal = _ZERO
    sources: int = 0
    parcels: int = 0
    parcels_at_distance: int = 0
    distance_km: Decimal = _ZERO
    """Over the parcels whose distance is known."""
    late_units: Decimal = _ZERO
    late_unit_days: Decimal = _ZERO
    strategy: str = ""
    """The last one that was tried."""
    failure: str = ""
    """What happens to the rest, where there is one."""
    taken: tuple[tuple[str, str, Decimal], ...] = ()
    """(line, source, quantity), in order."""

    @property
    def cost(self) -> Decimal:
        """What somebody pays."""
        return self.goods + self.freight + self.handling


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over orders of one currency."""

    orders: int = 0
    complete: int = 0
    wanted: Decimal = _ZERO
    filled: Decimal = _ZERO
    goods: Decimal = _ZERO
    freight: Decimal = _ZERO
    handling: Decimal = _ZERO
    splits: int = 0
    """Sources beyond the first of each order."""
    parcels: int = 0
    parcels_at_distance: int = 0
    distance_km: Decimal = _ZERO
    late_units: Decimal = _ZERO
    late_unit_days: Decimal = _ZERO

    @property
    def cost(self) -> Decimal:
        """What somebody pays."""
        return self.goods + self.freight + self.handling

    @property
    def fill_percent(self) -> Decimal:
        """Of all units wanted; 100 where nothing was."""
        return _HUNDRED * self.filled / self.wanted if self.wanted else _HUNDRED

    @property
    def distance_mean_km(self) -> Decimal | None:
        """Of a parcel, where distances are known."""
        return self.distance_km / self.parcels_at_distance if self.parcels_at_distance else None


@dataclass(frozen=True, slots=True)
class Difference:
    """One order that the two rule sets source differently."""

    before: Outcome
    after: Outcome


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both rule sets side by side, by currency, and the orders that change, the costliest changes first."""

    before: Mapping[str, Totals]
    after: Mapping[str, Totals]
    differences: tuple[Difference, ...]
    orders: int


def compare(problems: Iterable[Problem], before: RuleSet, after: RuleSet, solve: Solve) -> Comparison:
    """Source each problem once under each rule set, with the same solver, and put both side by side.

    Orders of one problem share its supply, as they did. Problems do not see one another: each has the stock it had.
    """
    old: list[Outcome] = []
    new: list[Outcome] = []
    for problem in problems:
        old += outcomes(problem, before, solve)
        new += outcomes(problem, after, solve)
    changed = [Difference(a, b) for a, b in zip(old, new, strict=True) if a.taken != b.taken]
    changed.sort(key=lambda one: (-abs(one.after.cost - one.before.cost), one.before.order_id))
    return Comparison(totals(old), totals(new), tuple(changed), len(old))


def totals(found: Iterable[Outcome]) -> dict[str, Totals]:
    """Sums by currency: money of unlike currencies is never added."""
    sums: dict[str, Totals] = {}
    for one in found:
        so_far = sums.get(one.currency, Totals())
        sums[one.currency] = Totals(
            orders=so_far.orders + 1,
            complete=so_far.complete + (one.filled >= one.wanted),
            wanted=so_far.wanted + one.wanted,
            filled=so_far.filled + one.filled,
            goods=so_far.goods + one.goods,
            freight=so_far.freight + one.freight,
            handling=so_far.handling + one.handling,
            splits=so_far.splits + max(0, one.sources - 1),
            parcels=so_far.parcels + one.parcels,
            parcels_at_distance=so_far.parcels_at_distance + one.parcels_at_distance,
            distance_km=so_far.distance_km + one.distance_km,
            late_units=so_far.late_units + one.late_units,
            late_unit_days=so_far.late_unit_days + one.late_unit_days,
        )
    return sums


def outcomes(problem: Problem, rules: RuleSet, solve: Solve) -> list[Outcome]:
    """How each order of the problem fares under the rules, in the problem's order."""
    pieces, last = replay(problem, rules, solve)
    ways = {(one.order_id, one.source_id, one.carrier, one.service): one for one in problem.services}
    found = []
    for order in problem.orders:
        own = [one for one in pieces if one.order_id == order.order_id]
        found.append(_outcome(problem, order, own, last[order.order_id], ways))
    return found


def replay(problem: Problem, rules: RuleSet, solve: Solve) -> tuple[list[Assignment], dict[str, Policy]]:
    """All pieces, strategy after strategy for what is still open, and the last policy that each order was given."""
    preferred = preferences(rules, problem.sources)
    sources = tuple(replace(one, preferred=preferred[one.source_id]) for one in problem.sources)
    chains = {one.order_id: policies(rules, _facts(problem, one), sources) for one in problem.orders}
    left = {(one.order_id, line.line_id): line.quantity for one in problem.orders for line in one.lines}
    supplies = list(problem.supplies)
    pieces: list[Assignment] = []
    last = {order_id: found[0] for order_id, found in chains.items()}
    for turn in range(ROUNDS_MAX):
        orders = tuple(_remaining(one, left, chains[one.order_id][turn]) for one in problem.orders
                       if turn < len(chains[one.order_id]))  # fmt: skip
        orders = tuple(one for one in orders if one.lines)
        if not orders:
            break
        plan = solve(replace(problem, orders=orders, sources=sources, supplies=tuple(supplies)))
        pieces += plan.assignments
        supplies = _without(supplies, plan.assignments)
        sources = _used_up(sources, plan.assignments)
        for piece in plan.assignments:
            left[piece.order_id, piece.line_id] -= piece.quantity
        last.update((one.order_id, one.policy) for one in orders)
    return pieces, last


def _facts(problem: Problem, order: OrderDemand) -> OrderFacts:
    """What is known of a past order: the age of a source's figures is that of its oldest one."""
    ages: dict[str, int] = {}
    for one in problem.supplies:
        ages[one.source_id] = max(ages.get(one.source_id, 0), one.age_seconds)
    distances = {one.source_id: one.distance_km for one in problem.services if one.order_id == order.order_id}
    return facts_of(order, ages=ages, distances=distances)


def _remaining(order: OrderDemand, left: Mapping[tuple[str, str], Decimal], policy: Policy) -> OrderDemand:
    lines = []
    for line in order.lines:
        open_quantity = left[order.order_id, line.line_id]
        if open_quantity > 0:
            lines.append(line if open_quantity == line.quantity else _rest(line, open_quantity))
    return replace(order, lines=tuple(lines), policy=policy)


def _rest(line: DemandLine, quantity: Decimal) -> DemandLine:
    """What is open of a line; of a kit's component, for so many kits less."""
    if line.parent_line and line.kits > 1:
        kits = int(quantity * line.kits / line.quantity)
        return replace(line, quantity=quantity, kits=max(1, kits))
    return replace(line, quantity=quantity)


def _without(supplies: Sequence[Supply], pieces: Sequence[Assignment]) -> list[Supply]:
    """The supplies less what was taken. The same places stay, so that indices keep their meaning."""
    taken: dict[int, Decimal] = {}
    for piece in pieces:
        taken[piece.supply_index] = taken.get(piece.supply_index, _ZERO) + piece.quantity
    return [
        replace(one, quantity=max(_ZERO, one.quantity - taken[index])) if index in taken else one
        for index, one in enumerate(supplies)
    ]


def _used_up(sources: Sequence[Source], pieces: Sequence[Assignment]) -> tuple[Source, ...]:
    """The sources with less capacity and credit left."""
    orders: dict[str, set[str]] = {}
    units: dict[str, Decimal] = {}
    worth: dict[str, Decimal] = {}
    partner_of = {one.source_id: one.partner_id for one in sources}
    for piece in pieces:
        orders.setdefault(piece.source_id, set()).add(piece.order_id)
        units[piece.source_id] = units.get(piece.source_id, _ZERO) + piece.quantity
        partner = partner_of[piece.source_id]
        worth[partner] = worth.get(partner, _ZERO) + piece.costs.get("goods", _ZERO)
    made = []
    for one in sources:
        capacity, credit = one.capacity_left, one.credit_left
        if capacity is not None:
            capacity = max(_ZERO, capacity - units.get(one.source_id, _ZERO))
        if credit is not None:
            credit = max(_ZERO, credit - worth.get(one.partner_id, _ZERO))
        many = one.orders_left
        if many is not None:
            many = max(0, many - len(orders.get(one.source_id, ())))
        made.append(replace(one, capacity_left=capacity, credit_left=credit, orders_left=many))
    return tuple(made)


def _outcome(
    problem: Problem,
    order: OrderDemand,
    pieces: Sequence[Assignment],
    policy: Policy,
    ways: Mapping[tuple[str, str, str, str], Service],
) -> Outcome:
    used = {(one.source_id, one.ship_on, one.carrier, one.service) for one in pieces}
    parcels = [ways[order.order_id, source, carrier, service] for source, _, carrier, service in used]
    known = [one.distance_km for one in parcels if one.distance_km is not None]
    goods, freight, handling = _money(problem, order, pieces, parcels, ways)
    late = []
    if order.need_on is not None:
        need_on = order.need_on
        late = [(one.quantity, (one.arrive_on - need_on).days) for one in pieces if one.arrive_on > need_on]
    wanted = sum((line.quantity for line in order.lines), _ZERO)
    filled = sum((one.quantity for one in pieces), _ZERO)
    action = policy.on_failure[0] if policy.on_failure else ""
    return Outcome(
        order_id=order.order_id,
        currency=order.currency,
        wanted=wanted,
        filled=filled,
        goods=goods,
        freight=freight,
        handling=handling,
        sources=len({one.source_id for one in pieces}),
        parcels=len(parcels),
        parcels_at_distance=len(known),
        distance_km=sum(known, _ZERO),
        late_units=sum((quantity for quantity, _ in late), _ZERO),
        late_unit_days=sum((quantity * days for quantity, days in late), _ZERO),
        strategy=policy.strategy,
        failure="" if filled >= wanted or action == NEXT_STRATEGY else action,
        taken=tuple(sorted((one.line_id, one.source_id, one.quantity) for one in pieces)),
    )


def _money(
    problem: Problem,
    order: OrderDemand,
    pieces: Sequence[Assignment],
    parcels: Sequence[Service],
    ways: Mapping[tuple[str, str, str, str], Service],
) -> tuple[Decimal, Decimal, Decimal]:
    """Goods, freight and handling as they are paid: a plan's own costs are weighed by its rules."""
    sources = {one.source_id: one for one in problem.sources}
    weights = {line.line_id: line.weight_kg for line in order.lines}
    goods = sum((problem.supplies[one.supply_index].unit_cost * one.quantity for one in pieces), _ZERO)
    freight = sum((one.cost_fixed for one in parcels), _ZERO)
    for one in pieces:
        way = ways[order.order_id, one.source_id, one.carrier, one.service]
        freight += way.cost_per_kg * weights[one.line_id] * one.quantity
    handling = sum((sources[one].handling_per_order for one in {one.source_id for one in pieces}), _ZERO)
    for _, source_id in {(one.line_id, one.source_id) for one in pieces}:
        handling += sources[source_id].handling_per_line
    handling += sum((sources[one.source_id].handling_per_unit * one.quantity for one in pieces), _ZERO)
    return goods, freight, handling
