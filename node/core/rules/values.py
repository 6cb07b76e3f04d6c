"""The values of a rule set. Amounts are in the order's currency unless they name one; distances are in km."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from node.core.sourcing.problem import Weights

__all__ = [
    "FAILURE_ACTIONS",
    "GOALS",
    "NEXT_STRATEGY",
    "ORDER_TYPES",
    "OWN",
    "SOURCE_KINDS",
    "Amount",
    "Conditions",
    "Filters",
    "OrderFacts",
    "Rule",
    "RuleSet",
    "Strategy",
]

ORDER_TYPES = (
    "ship_to_home",
    "drop_ship",
    "third_party",
    "pick_up",
    "ship_from_store",
    "transfer",
    "cross_dock",
    "pre_order",
    "recurring",
    "replenishment",
)

SOURCE_KINDS = ("warehouse", "store", "supplier", "logistics")

GOALS = ("cost", "speed", "vicinity", "parcels", "preference", "risk")
"""What sources are sorted or weighed by."""

FAILURE_ACTIONS = ("back_order", "cancel", "human")
"""What happens to what no source fulfils; the name of another strategy is the fourth."""

NEXT_STRATEGY = "next_strategy"
"""How a policy says that another strategy follows."""

OWN = "-"
"""How rules name our own company where partners are listed."""

_NOTHING: Mapping[str, int] = MappingProxyType({})
_NOWHERE: Mapping[str, Decimal | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money with its currency."""

    value: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.value:f} {self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """When a rule holds: all conditions that are stated do. Texts are patterns with *; empty is no condition."""

    order_types: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()
    """Beginnings of postal codes."""
    items: tuple[str, ...] = ()
    """At least one line has such an item."""
    all_items: tuple[str, ...] = ()
    """Every line has such an item."""
    brands: tuple[str, ...] = ()
    """At least one line has such a brand."""
    value_over: Decimal | None = None
    value_to: Decimal | None = None
    weight_over: Decimal | None = None
    weight_to: Decimal | None = None
    priority_min: int | None = None

    @property
    def stated(self) -> tuple[str, ...]:
        """The names of the conditions that are stated."""
        return tuple(name for name in self.__slots__ if getattr(self, name) not in ((), None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The first rule whose conditions hold decides. `otherwise` says that it is meant to hold for everything."""

    name: str
    strategy: str
    when: Conditions = field(default_factory=Conditions)
    otherwise: bool = False
    approval_over: Amount | None = None
    """A human approves orders whose sales value is above this."""
    approval_cost_over: Amount | None = None
    """A human approves orders whose sourcing costs more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which sources a strategy may use: all that are stated hold. Texts are patterns; empty is no filter."""

    kinds: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    not_partners: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    not_locations: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    same_country: bool = False
    distance_max_km: Decimal | None = None
    confidence_min: Decimal | None = None
    age_max_seconds: int | None = None
    lead_days_max: int | None = None

    @property
    def stated(self) -> tuple[str, ...]:
        """The names of the filters that are stated."""
        return tuple(name for name in self.__slots__ if getattr(self, name) not in ((), None, False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How an order is sourced, and what follows when that leaves something open."""

    name: str
    filters: Filters = field(default_factory=Filters)
    weights: Weights = field(default_factory=Weights)
    sort: tuple[str, ...] = ()
    split_orders_max: int | None = None
    split_lines: bool = True
    complete: bool = False
    late_allowed: bool = True
    late_per_day: Decimal = Decimal(0)
    arrive_by_hard: bool = False
    unfilled_cost: Decimal = Decimal(1000)
    split_cost: Decimal = Decimal(0)
    age_half_seconds: int = 0
    on_failure: str = "back_order"
    """One of FAILURE_ACTIONS, or the name of the strategy that is tried next for what is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules, in order, with the strategies that they name. `prefer`: patterns of source ids, best first."""

    rules: tuple[Rule, ...]
    strategies: Mapping[str, Strategy]
    prefer: tuple[str, ...] = ()
    name: str = ""
    """Where it comes from, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """What rules see of an order. `ages` and `distances` are by source id; what is not there is not known."""

    order_type: str
    country: str = ""
    postal_code: str = ""
    currency: str = ""
    value: Decimal | None = None
    """The sales value of its lines, as far as prices are known; None: no line has one."""
    weight_kg: Decimal = Decimal(0)
    priority: int = 0
    channel: str = ""
    items: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    preference: str = ""
    """The customer's: fastest, cheapest, or nothing."""
    no_split: bool = False
    ages: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    distances: Mapping[str, Decimal | None] = field(default_factory=lambda: _NOWHERE)
