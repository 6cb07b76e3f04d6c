"""The values of a carrier's rate table. Weights in kg, volumes in litres, amounts in its currency; all exact."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from node.core.freight.calendar import Calendar

__all__ = [
    "ANYWHERE",
    "Area",
    "Break",
    "RateTable",
    "ServiceRates",
    "Shipment",
    "Surcharge",
    "Zone",
    "normal_postal_code",
]

ANYWHERE = "*"
"""The country of an area that holds for every country which no other area names."""

_LAST = "\uffff"
_ZERO = Decimal(0)


def normal_postal_code(text: str) -> str:
    """A postal code for comparison: upper case, without spaces and hyphens ("sw1a 1aa" becomes "SW1A1AA")."""
    return "".join(sign for sign in text.upper() if sign.isalnum())


@dataclass(frozen=True, slots=True)
class Area:
    """Part of a country: postal codes from `first` to `last`, both as prefixes and included; both empty: all of it.

    "80" to "81" holds 80331 and 81999. Countries are ISO 3166-1 alpha-2, or ANYWHERE.
    """

    country: str
    first: str = ""
    last: str = ""

    @property
    def whole(self) -> bool:
        """Whether it is the whole country."""
        return not self.first and not self.last

    def holds(self, country: str, postal_code: str) -> bool:
        """Whether a normal postal code lies in it."""
        if self.country not in (country, ANYWHERE):
            return False
        return self.whole or self.first <= postal_code <= self.last + _LAST

    def __str__(self) -> str:
        if self.whole:
            return self.country
        return f"{self.country} {self.first}" + (f"-{self.last}" if self.last != self.first else "")


@dataclass(frozen=True, slots=True)
class Zone:
    """Areas with the same prices."""

    name: str
    areas: tuple[Area, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """What one parcel costs up to a weight (and, where stated, a volume), both included; None: without end.

    The price is `price + per_kg * weight + per_kg_above * (weight - lower end of this break)`.
    """

    weight_to: Decimal | None
    price: Decimal
    per_kg: Decimal = _ZERO
    per_kg_above: Decimal = _ZERO
    volume_to: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRates:
    """One service (standard, express) in one zone: its breaks by weight, and working days on the way."""

    service: str
    zone: str
    transit_days: int | None
    breaks: tuple[Break, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surcharge:
    """What comes on top: `percent` of the freight, `per_shipment`, `per_parcel`; where its conditions hold.

    Without areas it holds everywhere; `weight_over` and `volume_over` look at the heaviest parcel, and at the volume of
    the shipment shared equally among its parcels.
    """

    name: str
    percent: Decimal = _ZERO
    per_shipment: Decimal = _ZERO
    per_parcel: Decimal = _ZERO
    areas: tuple[Area, ...] = ()
    services: frozenset[str] = frozenset()
    weight_over: Decimal | None = None
    volume_over: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """What goes from one place to another. Weight in kg, volume in litres (0: not known)."""

    country: str
    postal_code: str
    weight_kg: Decimal
    currency: str
    from_country: str = ""
    from_postal_code: str = ""
    volume_litres: Decimal = _ZERO


class _Span(NamedTuple):
    """An area as it lies among the others of its country."""

    first: str
    last: str
    zone: str


@dataclass(frozen=True, kw_only=True)
class RateTable:
    """One carrier's prices, from everywhere that `origins` names (empty: from anywhere).

    `volumetric_divisor` is in cm3 per kg (5000 is usual; 0: volume does not count), `parcel_weight_max` in kg (0: one
    parcel takes everything), `weight_step` what billable weight is rounded up to (0: not at all).
    """

    carrier: str
    currency: str
    zones: tuple[Zone, ...]
    rates: tuple[ServiceRates, ...]
    surcharges: tuple[Surcharge, ...] = ()
    origins: tuple[Area, ...] = ()
    volumetric_divisor: Decimal = _ZERO
    parcel_weight_max: Decimal = _ZERO
    weight_step: Decimal = _ZERO
    calendar: Calendar = field(default_factory=Calendar)

    @cached_property
    def by_zone(self) -> dict[str, tuple[ServiceRates, ...]]:
        """The services of each zone."""
        found: dict[str, tuple[ServiceRates, ...]] = {}
        for one in self.rates:
            found[one.zone] = (*found.get(one.zone, ()), one)
        return found

    @cached_property
    def _spans(self) -> dict[str, list[_Span]]:
        """Parts of countries, by country, in the order of their postal codes."""
        found: dict[str, list[_Span]] = {}
        for zone in self.zones:
            for area in zone.areas:
                if not area.whole:
                    found.setdefault(area.country, []).append(_Span(area.first, area.last + _LAST, zone.name))
        return {country: sorted(spans) for country, spans in found.items()}

    @cached_property
    def _countries(self) -> dict[str, list[str]]:
        """The zones that name a whole country."""
        found: dict[str, list[str]] = {}
        for zone in self.zones:
            for area in zone.areas:
                if area.whole and zone.name not in found.setdefault(area.country, []):
                    found[area.country].append(zone.name)
        return found

    @cached_property
    def overlaps(self) -> tuple[tuple[str, str, str], ...]:
        """(country, zone, other zone) of zones that claim the same postal codes, or the same rest of a country."""
        found = []
        for country, spans in self._spans.items():
            widest: _Span | None = None
            for left, right in pairwise(spans):
                widest = left if widest is None or left.last > widest.last else widest
                if right.first <= widest.last and right.zone != widest.zone:
                    found.append((country, widest.zone, right.zone))
        for country, zones in self._countries.items():
            found += [(country, zones[0], other) for other in zones[1:]]
        return tuple(dict.fromkeys(found))

    def zone_of(self, country: str, postal_code: str) -> str | None:
        """The zone of a place: by its postal code, else by its country, else the one of ANYWHERE; None: not served.

        Only for tables without `overlaps`.
        """
        code = normal_postal_code(postal_code)
        spans = self._spans.get(country)
        if spans:
            place = bisect_right(spans, code, key=lambda span: span.first) - 1
            # Areas of the same zone may lie in one another; then the one that holds the code is further to the left.
            while place >= 0:
                if code <= spans[place].last:
                    return spans[place].zone
                if place and spans[place - 1].last < spans[place].first:
                    break
                place -= 1
        named = self._countries.get(country) or self._countries.get(ANYWHERE)
        return named[0] if named else None
