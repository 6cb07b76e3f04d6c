"""The snapshot that sourcing decides on, and the plan that it answers with: values, no behaviour.

Quantities are in each line's base unit, money is in the order's currency, days are calendar days. One supply is one
pool: all lines and orders of a problem draw on it together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

__all__ = [
    "COST_PARTS",
    "Assignment",
    "DemandLine",
    "OrderDemand",
    "Plan",
    "Policy",
    "Problem",
    "Service",
    "Source",
    "Supply",
    "Unfilled",
    "Weights",
]

ZERO = Decimal(0)
ONE = Decimal(1)

COST_PARTS = (
    "goods", "freight", "handling", "lateness", "risk", "scarcity", "split", "speed", "vicinity", "parcels",
    "preference",
)  # fmt: skip
"""The parts of an assignment's cost. A plan's costs have "unfilled" besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A place that can fulfil: one of our own sites (partner_id "") or a partner's location."""

    source_id: str
    """"" + "|" + location for our own, partner_id + "|" + location for a partner's."""
    partner_id: str = ""
    location: str = ""
    kind: str = "warehouse"
    """warehouse, store, supplier or logistics"""
    country: str = ""
    postal_code: str = ""
    currency: str = ""
    """Of its costs; "" is the order's. A source with another currency than the order's is no candidate."""
    handling_per_order: Decimal = ZERO
    handling_per_line: Decimal = ZERO
    """Per order line in a parcel: a line that leaves in two parcels is picked twice."""
    handling_per_unit: Decimal = ZERO
    order_minimum: Decimal = ZERO
    """Hard: the goods' value (unit costs) that one order takes from this source reaches it, or it takes nothing."""
    credit_left: Decimal | None = None
    """Goods' value that may still be ordered from the partner; the least of its sources' figures counts, for all."""
    capacity_left: Decimal | None = None
    """Units that it can still send on `ship_on`, over all orders; what is sent later counts too."""
    orders_left: int | None = None
    """Orders of which it can still send something, each once; as above."""
    lead_days: int = 0
    """Order to despatch; told for the record: `ship_on` includes it."""
    ship_on: date
    """Earliest despatch of stock in hand: lead time, cut-off and calendar already applied."""
    confidence: Decimal = ONE
    preferred: Decimal = ZERO
    """0 to 1, the rules' preference"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Goods of one item that a source can promise from a day on: stock in hand or an expected receipt."""

    source_id: str
    item_key: str
    quantity: Decimal
    on: date
    unit_cost: Decimal = ZERO
    multiple: Decimal = ONE
    """Quantities taken are whole multiples of it; 0 is any quantity (to six places)."""
    minimum: Decimal = ZERO
    """Least quantity that one line takes of this item from this source, if it takes any."""
    best_before_on: date | None = None
    confidence: Decimal = ONE
    age_seconds: int = 0
    basis: str = ""
    unit: str = ""
    """"" is the line's base unit. A supply in another unit than the line's is no candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How one source's parcel gets to one order's destination. A source without one is no candidate for the order."""

    source_id: str
    order_id: str
    carrier: str = ""
    service: str = ""
    cost_fixed: Decimal = ZERO
    """Per parcel: what leaves a source on one day by one service."""
    cost_per_kg: Decimal = ZERO
    transit_days: int = 0
    basis: str = "table"
    """table, quote, own or collect"""
    distance_km: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What the goals are worth in money. With the defaults only money counts."""

    cost: Decimal = ONE
    """Factor on goods, freight, handling and split cost."""
    speed: Decimal = ZERO
    """Per line and day from today to arrival (a part of a line counts for its share)."""
    vicinity: Decimal = ZERO
    """Per line and 100 km (a part of a line counts for its share); an unknown distance counts as 1,000 km."""
    parcels: Decimal = ZERO
    """Per parcel."""
    preference: Decimal = ZERO
    """Per line from a source that is not preferred at all (a part of a line counts for its share)."""
    risk: Decimal = ONE
    """Factor on the expected loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The strategy that the rules chose for one order."""

    strategy: str = ""
    weights: Weights = field(default_factory=Weights)
    split_orders_max: int | None = None
    """How many sources the order may use."""
    split_lines: bool = True
    """False: each line comes whole from one source in one parcel, or not at all."""
    allowed: frozenset[str] | None = None
    """Source ids; None is all."""
    late_allowed: bool = True
    late_per_day: Decimal = ZERO
    """Per unit and day after `need_on`, times one plus the order's priority."""
    distance_max_km: Decimal | None = None
    """Hard: a source at an unknown distance is out, unless the goods are collected there."""
    arrive_by_hard: bool = False
    unfilled_cost: Decimal = Decimal(1000)
    """Per unit, over the goods' own value, times one plus the order's priority."""
    complete: bool = False
    """All lines wholly, or nothing."""
    on_failure: tuple[str, ...] = ()
    split_cost: Decimal = ZERO
    """For each source beyond the first that the order uses."""
    loss_per_unit: Decimal | None = None
    """What a promise that fails costs, per unit; None is the goods' value (price, or else unit cost)."""
    age_half_seconds: int = 0
    """The age at which a figure is worth half; 0: age is in the supply's confidence already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandLine:
    """What one line of an order still needs."""

    line_id: str
    item_key: str
    quantity: Decimal
    unit: str = ""
    weight_kg: Decimal = ZERO
    """Per unit."""
    price: Decimal | None = None
    """Sales price per unit."""
    shelf_life_days_min: int = 0
    """Days that must remain when the goods arrive."""
    splittable: bool = True
    """False: whole from one source in one parcel, or not at all; components of a kit then come together."""
    parent_line: str = ""
    """The kit whose component this is: its components are filled in proportion, whole kits only."""
    kits: int = 1
    """Of how many kits the quantity is the need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDemand:
    """What one customer order still needs, whereto, when, and under which policy."""

    order_id: str
    kind: str = ""
    priority: int = 0
    """Higher is more urgent; 0 to 100 count."""
    currency: str = ""
    need_on: date | None = None
    not_after: date | None = None
    """Hard: nothing arrives later."""
    country: str = ""
    postal_code: str = ""
    collect_at: str = ""
    lines: tuple[DemandLine, ...] = ()
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One order, or a wave of orders that compete for the same supply."""

    today: date
    orders: tuple[OrderDemand, ...] = ()
    sources: tuple[Source, ...] = ()
    supplies: tuple[Supply, ...] = ()
    services: tuple[Service, ...] = ()
    scarcity: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    """(source_id, item_key) to money per unit: what the unit is worth there in future."""
    gap: float = 0.0
    """Relative gap to the optimum that is good enough; 0 is the optimum."""
    seconds: float = 5.0
    """For the solver, all components of the problem together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A piece: part of a line, from one supply of one source, in one parcel."""

    order_id: str
    line_id: str
    source_id: str
    item_key: str = ""
    quantity: Decimal
    supply_on: date
    ship_on: date
    arrive_on: date
    carrier: str = ""
    service: str = ""
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    """By `COST_PARTS`; fixed costs of a parcel or order at a source are on its first piece."""
    supply_index: int = -1
    """Which of the problem's supplies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfilled:
    """Part of a line that no source fulfils, and why."""

    order_id: str
    line_id: str
    quantity: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer: pieces and what stays open, with what it all costs."""

    assignments: tuple[Assignment, ...] = ()
    unfilled: tuple[Unfilled, ...] = ()
    cost: Decimal = ZERO
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    """By `COST_PARTS` and "unfilled"; they sum up to `cost`."""
    method: str = "exact"
    """exact or fallback"""
    status: str = "optimal"
    """optimal, gap, time-limit or fallback"""
    gap: float = 0.0
    bound: Decimal | None = None
    """No plan costs less than this, as far as the solver showed."""
    seconds: float | None = None
    """What the solver says it took; None where no solver ran."""
