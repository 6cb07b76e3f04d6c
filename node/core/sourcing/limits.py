"""Hard limits, one candidate at a time: why a supply may not serve a line, as words for people, or that it may."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from node.core.sourcing.problem import (
    ONE,
    ZERO,
    DemandLine,
    OrderDemand,
    Policy,
    Problem,
    Service,
    Source,
    Supply,
)

__all__ = ["LIMIT", "STEP_MIN", "Index", "arrival", "index", "line_fault", "refusal", "route_fault", "step_of"]

LIMIT = Decimal(10) ** 12
"""Figures beyond it are no trade; they are refused, so that arithmetic with floats stays sound."""
STEP_MIN = Decimal("0.000001")


@dataclass(slots=True)
class Index:
    """A problem's parts by what they are looked up with. Of parts with one id the first counts."""

    sources: dict[str, Source] = field(default_factory=dict)
    orders: dict[str, OrderDemand] = field(default_factory=dict)
    lines: dict[str, dict[str, DemandLine]] = field(default_factory=dict)
    """order id to its lines by line id"""
    supplies: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """item key to the positions of its supplies"""
    services: dict[tuple[str, str], list[Service]] = field(default_factory=lambda: defaultdict(list))
    """(order id, source id) to its services"""
    credit: dict[str, Decimal] = field(default_factory=dict)
    """By partner: the least that one of its sources tells, not below 0; without those that tell absurd figures."""


def index(problem: Problem) -> Index:
    """Look-ups of the problem."""
    found = Index()
    for source in problem.sources:
        if source.source_id in found.sources:
            continue
        found.sources[source.source_id] = source
        if source.partner_id and source.credit_left is not None and not source_fault(source):
            left = max(ZERO, source.credit_left)
            found.credit[source.partner_id] = min(left, found.credit.get(source.partner_id, left))
    for order in problem.orders:
        if order.order_id not in found.orders:
            found.orders[order.order_id] = order
            lines = found.lines[order.order_id] = {}
            for line in order.lines:
                lines.setdefault(line.line_id, line)
    for position, supply in enumerate(problem.supplies):
        found.supplies[supply.item_key].append(position)
    for service in problem.services:
        known = found.services[service.order_id, service.source_id]
        if not any((one.carrier, one.service) == (service.carrier, service.service) for one in known):
            known.append(service)
    return found


def sane(*figures: Decimal | None) -> bool:
    """Whether every figure given is a number that trade can have: finite, not negative, not beyond `LIMIT`."""
    for figure in figures:  # asked for every piece: a generator takes twice as long, and most are defaults
        if figure is None or figure is ZERO or figure is ONE:
            continue
        if not (figure.is_finite() and ZERO <= figure <= LIMIT):
            return False
    return True


def fair_price(line: DemandLine) -> Decimal | None:
    """The line's sales price, where it is one that trade can have."""
    return line.price if line.price is not None and sane(line.price) else None


def step_of(supply: Supply) -> Decimal:
    """What quantities taken of the supply are whole multiples of."""
    return supply.multiple if supply.multiple > 0 else STEP_MIN


def arrival(ship_on: date, transit_days: int) -> date:
    """The day on which a parcel arrives; the calendar's last day stands for everything after it."""
    try:
        return ship_on + timedelta(days=max(0, transit_days))
    except OverflowError:
        return date.max


def line_fault(line: DemandLine) -> str:
    """Why a line cannot be sourced at all, or ""."""
    if not line.quantity.is_finite() or line.quantity <= 0:
        return "the quantity is not above zero"
    if line.quantity > LIMIT:
        return "the quantity is absurd"
    if not sane(line.weight_kg):
        return "the weight is not a weight"
    return ""


def policy_fault(policy: Policy) -> str:
    """Why nothing can be decided under a policy, or ""."""
    weights = policy.weights
    goals = (weights.cost, weights.speed, weights.vicinity, weights.parcels, weights.preference, weights.risk)
    if not sane(
        *goals,
        policy.late_per_day,
        policy.unfilled_cost,
        policy.split_cost,
        policy.loss_per_unit,
        policy.distance_max_km,
    ):
        return "the policy's costs or weights are absurd"
    return ""


def source_fault(source: Source) -> str:
    """Why a source's figures cannot be used, or ""."""
    handling = (source.handling_per_order, source.handling_per_line, source.handling_per_unit)
    if not sane(*handling, source.order_minimum, source.capacity_left, source.confidence, source.preferred):
        return "the source's figures are absurd"
    if source.orders_left is not None and source.orders_left <= 0:
        return "no capacity left"
    if source.credit_left is not None and not (source.credit_left.is_finite() and abs(source.credit_left) <= LIMIT):
        return "the source's figures are absurd"
    return ""


def supply_fault(supply: Supply, scarcity: Decimal) -> str:
    """Why a supply's figures cannot be used, or ""."""
    figures = (supply.quantity, supply.unit_cost, supply.minimum, supply.confidence, scarcity)
    if not sane(*figures) or not sane(supply.multiple.copy_abs()) or 0 < supply.multiple < STEP_MIN:
        return "the supply's figures are absurd"
    return "no stock" if supply.quantity <= 0 else ""


def route_fault(order: OrderDemand, source: Source, service: Service | None) -> str:
    """Why nothing of a source may go to an order by a service (None: it has no service), or ""."""
    if order.policy.allowed is not None and source.source_id not in order.policy.allowed:
        return f"excluded by rule {order.policy.strategy}".rstrip()
    fault = source_fault(source) or policy_fault(order.policy)
    if fault:
        return fault
    return "no carrier serves this way" if service is None else service_fault(order, source, service)


def service_fault(order: OrderDemand, source: Source, service: Service) -> str:
    """Why an order may not come from a source by a service, where both and the policy are sound; or ""."""
    policy = order.policy
    if policy.allowed is not None and source.source_id not in policy.allowed:
        return f"excluded by rule {policy.strategy}".rstrip()
    if not sane(service.cost_fixed, service.cost_per_kg, service.distance_km) or service.transit_days < 0:
        return "the carrier's figures are absurd"
    if any(one and order.currency and one != order.currency for one in (source.currency, service.currency)):
        return "other currency"
    if policy.distance_max_km is not None and service.basis != "collect":
        if service.distance_km is None:
            return "distance unknown, and the policy limits it"
        if service.distance_km > policy.distance_max_km:
            return f"farther than {policy.distance_max_km} km"
    return ""


def latest_arrival(order: OrderDemand) -> date | None:
    """The last day on which goods of an order may arrive, if any day is the last."""
    hard = order.need_on if order.policy.arrive_by_hard or not order.policy.late_allowed else None
    days = [day for day in (hard, order.not_after) if day is not None]
    return min(days) if days else None


def refusal(
    problem: Problem,
    order: OrderDemand,
    line: DemandLine,
    source: Source | None,
    supply: Supply,
    service: Service | None,
    ship_on: date,
) -> str:
    """Why this supply may not serve this line by this service on this day, or "" when it may."""
    if source is None:
        return "unknown source"
    fault = line_fault(line) or route_fault(order, source, service)
    if fault or service is None:
        return fault
    fault = supply_fault(supply, problem.scarcity.get((supply.source_id, supply.item_key), ZERO))
    if fault:
        return fault
    if supply.unit and line.unit and supply.unit != line.unit:
        return f"held in {supply.unit}, ordered in {line.unit}"
    if ship_on < max(supply.on, source.ship_on):
        return "leaves before it is there"
    arrive_on = arrival(ship_on, service.transit_days)
    last = latest_arrival(order)
    if last is not None and arrive_on > last:
        return f"too late: {arrive_on.isoformat()} after {last.isoformat()}"
    if supply.best_before_on is not None and (supply.best_before_on - arrive_on).days < line.shelf_life_days_min:
        return "remaining shelf life too short"
    return ""
