"""What can be set about sites, ours and partners', and about what is promised from them."""

# The one function called in the defaults makes a dataclass field.
# ruff: noqa: RUF009

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from node.config.setting import setting
from node.core.iso_codes import MINOR_UNITS
from node.core.units import is_unit
from node.errors import ConfigError

__all__ = ["CostRule", "PromisingSettings", "SafetyRule", "SiteSettings", "check_promising", "check_sites"]


@dataclass(frozen=True, kw_only=True)
class SiteSettings:
    """A place that goods are sent from or collected at.

    Its ID is our location code, or a partner's id, a bar and the partner's code; `*` stands for any characters, and
    the first entry that fits holds. A place that no entry names is a warehouse of ours, or a supplier's with the terms
    that it sent us, and works every day.
    """

    kind: str = setting(
        "",
        "what it is; empty: a warehouse of ours, or a supplier's",
        choices=("", "warehouse", "store", "supplier", "logistics"),
    )
    country: str = setting("", "ISO 3166-1 code of the country", example="DE")
    postal_code: str = setting("", "postal code, for distances and freight", example="20457")
    time_zone: str = setting("UTC", "IANA name of the zone of `cut_off` and `holidays`", example="Europe/Berlin")
    cut_off: str = setting("", "orders until then leave on the same day; empty: at any time", example="14:00")
    weekdays: tuple[int, ...] = setting((1, 2, 3, 4, 5), "days on which goods leave; 1 is Monday", least=1, most=7)
    holidays: tuple[str, ...] = setting((), "days on which nothing leaves", example=("2026-12-25",))
    lead_days: int = setting(0, "working days from order to despatch of goods in hand", unit="days", least=0, most=366)
    handling_per_order: Decimal = setting(Decimal(0), "cost of an order, in the order's currency", least=0)
    handling_per_line: Decimal = setting(Decimal(0), "cost of a line", least=0)
    handling_per_unit: Decimal = setting(Decimal(0), "cost of a unit", least=0)
    capacity_per_day: Decimal = setting(
        Decimal(0),
        "most that leaves it in a day; what is more goes on the next day, or from elsewhere; 0: no limit",
        unit="units",
        least=0,
    )
    orders_per_day: int = setting(
        0,
        "most orders that leave it in a day, however small; 0: no limit",
        unit="orders",
        least=0,
        most=10**6,
    )
    ships: bool = setting(True, "goods are sent from here")
    collect: bool = setting(False, "customers can collect here")


@dataclass(frozen=True, kw_only=True)
class SafetyRule:
    """Stock that is kept back from every promise. The first rule that fits decides; nothing fits: nothing is kept."""

    item: str = setting("*", "pattern of our item number or GTIN", example="CHEW-*")
    location: str = setting("*", "pattern of our location code", example="DC*")
    quantity: Decimal = setting(MISSING, "kept back", unit="in the figure's unit", least=0, example=Decimal(5))


@dataclass(frozen=True, kw_only=True)
class CostRule:
    """What a unit of our own stock costs us. The first rule that fits decides; nothing fits: our own price list's."""

    item: str = setting("*", "pattern of our item number or GTIN", example="CHEW-1")
    location: str = setting("*", "pattern of our location code", example="DC*")
    cost: str = setting(MISSING, "amount of one unit and currency", example="1.20 EUR")
    unit: str = setting("C62", "UN/ECE Rec 20 code of the unit")


@dataclass(frozen=True, kw_only=True)
class PromisingSettings:
    """What is kept back, what our stock costs us, and when we are warned."""

    safety: tuple[SafetyRule, ...] = setting((), "stock kept back, in order")
    costs: tuple[CostRule, ...] = setting((), "what our own stock costs us, in order")
    figure_half_life_hours: int = setting(
        168, "age at which a partner's figure is believed half as much", unit="h", least=1, most=8_760
    )
    demand_days: int = setting(
        56, "days of demand that rates and warnings are reckoned from", unit="days", least=1, most=730
    )
    warning_days: int = setting(
        14, "an item that runs out within so many days is warned of", unit="days", least=1, most=366
    )


Fault = Callable[..., ConfigError]
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]").fullmatch
_COUNTRY = re.compile(r"[A-Z]{2}").fullmatch
_COST = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})? ([A-Z]{3})").fullmatch


def check_sites(sites: Mapping[str, SiteSettings], fault: Fault) -> None:
    """Raise ConfigError for a site with a time, day, zone or country that is none."""
    for name, one in sites.items():
        at = f'sites."{name}"'
        if one.cut_off and not _TIME(one.cut_off):
            raise fault(f"{at}.cut_off", "a time such as 14:00", one.cut_off)
        if one.country and not _COUNTRY(one.country):
            raise fault(f"{at}.country", "an ISO 3166-1 code such as DE", one.country)
        if not one.weekdays or any(not 1 <= day <= 7 for day in one.weekdays):
            raise fault(f"{at}.weekdays", "days from 1 (Monday) to 7, at least one", one.weekdays)
        for index, day in enumerate(one.holidays):
            _check_day(day, f"{at}.holidays[{index}]", fault)
        try:
            ZoneInfo(one.time_zone)
        except (OSError, ValueError):
            raise fault(f"{at}.time_zone", "an IANA name such as Europe/Berlin", one.time_zone) from None


def _check_day(text: Any, at: str, fault: Fault) -> None:
    try:
        date.fromisoformat(text)
    except (TypeError, ValueError):
        raise fault(at, "a day such as 2026-12-25", text) from None


def check_promising(promising: PromisingSettings, fault: Fault) -> None:
    """Raise ConfigError for costs that are no amounts, or of no known unit."""
    for index, one in enumerate(promising.costs):
        found = _COST(one.cost)
        if found is None or found[2] not in MINOR_UNITS:
            raise fault(f"promising.costs[{index}].cost", "an amount and a currency such as 1.20 EUR", one.cost)
        if not is_unit(one.unit):
            raise fault(f"promising.costs[{index}].unit", "a UN/ECE Rec 20 or 21 code such as C62", one.unit)
