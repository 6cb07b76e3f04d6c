"""What is wrong with a rate table before anybody is quoted by it: holes, overlaps, other currencies, odd steps."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from node.core.finding import Finding
from node.core.freight.table import ANYWHERE, Break, RateTable, ServiceRates
from node.core.iso_codes import is_country, is_currency

__all__ = ["FATAL", "findings", "usable"]

FATAL = frozenset({"overlapping-zones", "other-currency", "unknown-currency", "no-rates", "duplicate-service"})
"""Findings with which a table is not used at all: it would name wrong prices, or none."""


def findings(table: RateTable) -> list[Finding]:
    """Everything that looks wrong, in the order of the table; empty for a sound one."""
    return [*_whole(table), *_zones(table), *(one for rates in table.rates for one in _rates(table, rates))]


def usable(found: list[Finding]) -> bool:
    """Whether a table with these findings may quote."""
    return not any(one.rule in FATAL for one in found)


def _whole(table: RateTable) -> Iterator[Finding]:
    if not is_currency(table.currency):
        yield Finding("unknown-currency", "currency", f"an ISO 4217 code is expected, not {table.currency!r}")
    if not any(one.breaks for one in table.rates):
        yield Finding("no-rates", "rates", "nothing has a price: at least one rate is expected")
    for country, zone, other in table.overlaps:
        where = "what no other zone names" if country == ANYWHERE else country
        yield Finding("overlapping-zones", f"zones.{other}", f"zones {zone} and {other} both claim part of {where}")
    for index, surcharge in enumerate(table.surcharges):
        if not (surcharge.percent or surcharge.per_shipment or surcharge.per_parcel):
            text = f"surcharge {surcharge.name} costs nothing: percent, per_shipment or per_parcel is expected"
            yield Finding("empty-surcharge", f"surcharges[{index}]", text)
        services = {one.service for one in table.rates}
        for name in sorted(surcharge.services - services):
            text = f"surcharge {surcharge.name} names service {name!r}, which has no rates"
            yield Finding("unknown-service", f"surcharges[{index}].services", text)


def _zones(table: RateTable) -> Iterator[Finding]:
    names = {zone.name for zone in table.zones}
    served = {one.zone for one in table.rates if one.breaks}
    for zone in table.zones:
        if zone.name not in served:
            yield Finding("zone-without-rates", f"zones.{zone.name}", f"zone {zone.name} has no rate at any weight")
        if not zone.areas:
            yield Finding("empty-zone", f"zones.{zone.name}", f"zone {zone.name} names no place: it matches nothing")
        for area in zone.areas:
            if area.country != ANYWHERE and not is_country(area.country):
                text = f"{area.country!r} is no ISO 3166-1 country: the zone matches nothing there"
                yield Finding("unknown-country", f"zones.{zone.name}", text)
            if area.first > area.last:
                text = f"{area} runs backwards: it matches nothing"
                yield Finding("empty-zone", f"zones.{zone.name}", text)
    for name in sorted({one.zone for one in table.rates} - names):
        yield Finding("unknown-zone", f"rates.{name}", f"rates are given for {name!r}, which is no zone of the table")
    seen: set[tuple[str, str]] = set()
    for one in table.rates:
        if (one.service, one.zone) in seen:
            text = f"service {one.service!r} has two sets of rates in zone {one.zone}"
            yield Finding("duplicate-service", f"rates.{one.zone}", text)
        seen.add((one.service, one.zone))


def _rates(table: RateTable, rates: ServiceRates) -> Iterator[Finding]:
    at = f"rates.{rates.zone}.{rates.service}"
    if rates.transit_days is None:
        yield Finding("no-transit-days", at, "days on the way are missing: the service is never offered here")
    for one in rates.breaks:
        if one.currency and one.currency != table.currency:
            text = f"a price in {one.currency}, the table is in {table.currency}"
            yield Finding("other-currency", at, text)
        if min(one.price, one.per_kg, one.per_kg_above) < 0:
            yield Finding("negative-price", at, "prices of 0 or more are expected")
    for left, right in pairwise(rates.breaks):
        if left.weight_to is None or (right.weight_to is not None and left.weight_to >= right.weight_to):
            if left.volume_to is None or (left.weight_to == right.weight_to and left.volume_to == right.volume_to):
                text = f"the break to {_kg(right.weight_to)} is never reached: the one before holds it"
                yield Finding("unreachable-break", at, text)
        elif _at(left, left.weight_to, _lower(rates, left)) > _at(right, left.weight_to, left.weight_to):
            text = f"just above {_kg(left.weight_to)} it costs less than at it"
            yield Finding("price-falls", at, text)
    yield from _ends(table, rates, at)


def _ends(table: RateTable, rates: ServiceRates, at: str) -> Iterator[Finding]:
    """A hole above the last break: a parcel may be heavier than any price says."""
    if not rates.breaks:
        yield Finding("weight-hole", at, "no weight has a price")
        return
    open_ended = [one for one in rates.breaks if one.volume_to is None]
    if not open_ended:
        yield Finding("volume-hole", at, "large volumes have no price: one break without volume_to is expected")
        return
    if any(one.weight_to is None for one in open_ended):
        return
    last = max(one.weight_to for one in open_ended if one.weight_to is not None)
    if not table.parcel_weight_max or last < table.parcel_weight_max:
        until = f"to {_kg(table.parcel_weight_max)}" if table.parcel_weight_max else "on, and parcels have no limit"
        yield Finding("weight-hole", at, f"no price above {_kg(last)} {until}")


def _lower(rates: ServiceRates, one: Break) -> Decimal:
    """Where the break begins."""
    lower = Decimal(0)
    for other in rates.breaks:
        if other is one:
            break
        lower = other.weight_to if other.weight_to is not None else lower
    return lower


def _at(one: Break, weight: Decimal, lower: Decimal) -> Decimal:
    return one.price + one.per_kg * weight + one.per_kg_above * (weight - lower)


def _kg(weight: Decimal | None) -> str:
    return "any weight" if weight is None else f"{weight:f} kg"
