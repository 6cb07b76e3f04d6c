"""What a shipment costs by a rate table: zone, parcels, break, surcharges; or the finding why it has no price."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from node.core.decimals import EXACT
from node.core.finding import Finding
from node.core.freight.calendar import delivered_on
from node.core.freight.table import Area, Break, RateTable, ServiceRates, Shipment, Surcharge, normal_postal_code
from node.core.sourcing.problem import Service

__all__ = ["PARCELS_MAX", "Rate", "price", "quote"]

PARCELS_MAX = 1_000
"""Parcels in one shipment at most; what is heavier is no parcel freight."""

_ZERO = Decimal(0)
_GRAM = Decimal("0.001")
_CM3_PER_LITRE = Decimal(1_000)
_HUNDREDTH = Decimal("0.01")
_UP = decimal.Context(prec=80, rounding=decimal.ROUND_CEILING)
# What a price per kg is rounded to, up: a table then never seems cheaper than it is.
_PER_KG = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one service asks for a shipment: `cost` is the exact sum of `parts`."""

    service: str
    zone: str
    parcels: int
    cost: Decimal
    parts: Mapping[str, Decimal]
    transit_days: int


def price(table: RateTable, shipment: Shipment) -> list[Rate] | Finding:
    """Every service that carries the shipment, cheapest first; a Finding when none does.

    Rules: ``bad-weight``, ``other-currency``, ``overlapping-zones``, ``not-collected-there``, ``no-zone``,
    ``too-heavy``, ``no-rate``.
    """
    refused = _refused(table, shipment)
    if refused is not None:
        return refused
    zone = table.zone_of(shipment.country, shipment.postal_code)
    if zone is None:
        where = f"{shipment.country} {shipment.postal_code}".strip()
        return Finding("no-zone", "zones", f"{table.carrier} has no zone for {where or 'a place without country'}")
    parcels = _parcels(table, shipment)
    if isinstance(parcels, Finding):
        return parcels
    found = []
    for rates in table.by_zone.get(zone, ()):
        made = _rate(table, shipment, rates, *parcels)
        if made is not None:
            found.append(made)
    if not found:
        text = f"{table.carrier} has no rate in zone {zone} for {parcels[1]:f} kg in {parcels[0]} parcel(s)"
        return Finding("no-rate", "rates", text)
    return sorted(found, key=lambda one: (one.cost, one.transit_days, one.service))


def quote(
    table: RateTable,
    shipment: Shipment,
    *,
    source_id: str = "",
    order_id: str = "",
    ship_on: date | None = None,
    distance_km: Decimal | None = None,
) -> list[Service] | Finding:
    """The services as sourcing sees them: a fixed cost and one per kg, exact for nothing and for the whole shipment.

    In between, where an order is split, the line lies between the steps of the table. With `ship_on` the days on the
    way are calendar days from then on, closed days included.
    """
    whole = price(table, shipment)
    if isinstance(whole, Finding):
        return whole
    lightest = price(table, _lightest(shipment))
    least = {} if isinstance(lightest, Finding) else {one.service: one.cost for one in lightest}
    made = []
    for one in whole:
        fixed = min(least.get(one.service, one.cost), one.cost)
        days = one.transit_days
        if ship_on is not None:
            days = (delivered_on(table.calendar, ship_on, days) - ship_on).days
        made.append(
            Service(
                source_id=source_id,
                order_id=order_id,
                carrier=table.carrier,
                service=one.service,
                cost_fixed=fixed,
                cost_per_kg=_per_kg(one.cost - fixed, shipment.weight_kg),
                transit_days=days,
                basis="table",
                currency=table.currency,
                distance_km=distance_km,
            )
        )
    return made


def _lightest(shipment: Shipment) -> Shipment:
    """One gram of it: what the first piece costs."""
    return Shipment(
        country=shipment.country,
        postal_code=shipment.postal_code,
        weight_kg=min(_GRAM, shipment.weight_kg),
        currency=shipment.currency,
        from_country=shipment.from_country,
        from_postal_code=shipment.from_postal_code,
    )


def _per_kg(rest: Decimal, weight: Decimal) -> Decimal:
    return _UP.quantize(_UP.divide(rest, weight), _PER_KG) if rest and weight else _ZERO


def _refused(table: RateTable, shipment: Shipment) -> Finding | None:
    """Why the table says nothing about the shipment at all."""
    if not (shipment.weight_kg.is_finite() and shipment.volume_litres.is_finite()) or (
        shipment.weight_kg < 0 or shipment.volume_litres < 0
    ):
        return Finding("bad-weight", "weight_kg", "weight and volume are expected to be 0 or more")
    if shipment.currency != table.currency:
        text = f"{table.carrier} quotes in {table.currency}, the order is in {shipment.currency or 'no currency'}"
        return Finding("other-currency", "currency", text)
    if table.overlaps:
        country, zone, other = table.overlaps[0]
        return Finding("overlapping-zones", "zones", f"zones {zone} and {other} both claim part of {country}")
    if table.origins and not _within(table.origins, shipment.from_country, shipment.from_postal_code):
        where = f"{shipment.from_country} {shipment.from_postal_code}".strip()
        text = f"{table.carrier} does not collect in {where or 'a place without country'}"
        return Finding("not-collected-there", "origins", text)
    return None


def _within(areas: tuple[Area, ...], country: str, postal_code: str) -> bool:
    code = normal_postal_code(postal_code)
    return any(area.holds(country, code) for area in areas)


def _parcels(table: RateTable, shipment: Shipment) -> tuple[int, Decimal, Decimal] | Finding:
    """How many parcels, the billable weight of a full one, and of the last one: full ones first, then the rest."""
    weight = shipment.weight_kg
    if table.volumetric_divisor and shipment.volume_litres:
        by_volume = _UP.divide(shipment.volume_litres * _CM3_PER_LITRE, table.volumetric_divisor)
        weight = max(weight, _UP.quantize(by_volume, _GRAM))
    most = table.parcel_weight_max
    if not most:
        billable = _stepped(weight, table.weight_step)
        return 1, billable, billable
    count = max(1, int(_UP.to_integral_value(_UP.divide(weight, most)))) if weight <= most * PARCELS_MAX else 0
    if not count:
        return Finding("too-heavy", "weight_kg", f"{weight:f} kg are more than {PARCELS_MAX} parcels of {most:f} kg")
    rest = _stepped(weight - most * (count - 1), table.weight_step)
    return count, rest if count == 1 else max(_stepped(most, table.weight_step), rest), rest


def _stepped(weight: Decimal, step: Decimal) -> Decimal:
    return _UP.to_integral_value(_UP.divide(weight, step)) * step if step else weight


def _rate(
    table: RateTable, shipment: Shipment, rates: ServiceRates, count: int, full: Decimal, last: Decimal
) -> Rate | None:
    """The price of one service, or None where it has no break for one of the parcels."""
    if rates.transit_days is None:
        return None
    freight = _parcel_price(table, shipment, rates, count, last)
    if count > 1 and freight is not None:
        each = _parcel_price(table, shipment, rates, count, full)
        freight = None if each is None else EXACT.add(freight, EXACT.multiply(each, Decimal(count - 1)))
    if freight is None:
        return None
    parts = {"freight": freight}
    for one in table.surcharges:
        if _applies(one, shipment, rates.service, count, full):
            extra = freight * one.percent * _HUNDREDTH + one.per_shipment + one.per_parcel * count
            parts[one.name] = parts.get(one.name, _ZERO) + extra
    return Rate(
        service=rates.service,
        zone=rates.zone,
        parcels=count,
        cost=sum(parts.values(), _ZERO),
        parts=parts,
        transit_days=rates.transit_days,
    )


def _parcel_price(
    table: RateTable, shipment: Shipment, rates: ServiceRates, count: int, weight: Decimal
) -> Decimal | None:
    """The price of one parcel of this billable weight; None where no break holds it or it is in another currency."""
    lower = _ZERO
    for one in rates.breaks:
        if _fits(one, shipment, count, weight):
            if one.currency and one.currency != table.currency:
                return None
            return one.price + one.per_kg * weight + one.per_kg_above * (weight - lower)
        lower = one.weight_to if one.weight_to is not None else lower
    return None


def _fits(one: Break, shipment: Shipment, count: int, weight: Decimal) -> bool:
    if one.weight_to is not None and weight > one.weight_to:
        return False
    return one.volume_to is None or shipment.volume_litres <= one.volume_to * count


def _applies(one: Surcharge, shipment: Shipment, service: str, count: int, heaviest: Decimal) -> bool:
    if one.services and service not in one.services:
        return False
    if one.areas and not _within(one.areas, shipment.country, shipment.postal_code):
        return False
    if one.weight_over is not None and heaviest <= one.weight_over:
        return False
    return one.volume_over is None or shipment.volume_litres > one.volume_over * count
