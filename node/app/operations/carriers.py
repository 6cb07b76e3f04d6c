"""Operations on carriers: which there are, what is wrong with their rates, and what a shipment would cost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from node.app.operations.registry import Host, operation
from node.app.sourcing import carriers
from node.config import Settings
from node.core.decimals import format_decimal
from node.core.finding import Finding
from node.core.freight import QuoteRequest, Shipment, price, usable
from node.errors import ConfigError, RefusedError

__all__ = ["plain"]

WEIGHT_MAX = Decimal(100_000)


@operation("carrier.list")
def carrier_list(host: Host) -> dict[str, Any]:
    """The carriers of the settings."""
    settings = host.ctx.settings
    told = [
        {
            "name": name,
            "kind": one.kind,
            "file": one.file,
            "sources": list(one.sources),
            "currency": one.currency,
            "url": one.url,
            "cache_seconds": one.cache_seconds if one.kind != "table" else None,
            "fallback": one.fallback,
        }
        for name, one in settings.carriers.items()
    ]
    own = settings.freight
    return {
        "carriers": told,
        "kinds": carriers.carrier_kinds(),
        "own": {
            "cost": format_decimal(own.cost),
            "cost_per_km": format_decimal(own.cost_per_km),
            "currency": own.currency,
            "transit_days": own.transit_days,
        },
    }


@operation("carrier.check")
def carrier_check(host: Host, *, carrier: str = "") -> dict[str, Any]:
    """Read tables, mappings and places of one carrier, or of all, and say what is wrong; asks no carrier."""
    settings = host.ctx.settings
    if carrier:
        _known(settings, carrier)
    names = [carrier] if carrier else list(settings.carriers)
    told = [_checked(settings, one) for one in names]
    places, remarks = carriers.places(settings)
    return {
        "good": all(one["good"] for one in told) and not remarks,
        "carriers": told,
        "postal_codes": len(places),
        "places": [_finding(one) for one in remarks],
    }


def _checked(settings: Settings, name: str) -> dict[str, Any]:
    """One carrier: `good` says that it can be used; findings may be told nevertheless."""
    try:
        if settings.carriers[name].kind == "table":
            read = carriers.rate_table(settings, name)
            found = list(read.findings)
            if read.fault:
                found.append(Finding("bad-table", "", f"the last good rates count: {read.fault}"))
            good = usable(list(read.findings)) and not read.fault
            told = [_finding(one) for one in found]
        else:
            with carriers.open_carrier(settings, name) as carrier:
                remarks = carrier.check()
            good = not any(not one.warning for one in remarks)
            told = [{"rule": one.rule, "path": one.path, "text": one.text} for one in remarks]
    except ConfigError as error:
        return {"name": name, "good": False, "findings": [{"rule": "bad-file", "path": "", "text": error.message}]}
    return {"name": name, "good": good, "findings": told}


@operation("carrier.quote")
def carrier_quote(
    host: Host,
    *,
    country: str,
    postal_code: str,
    weight: Decimal,
    carrier: str = "",
    currency: str = "",
    volume: Decimal = Decimal(0),
    from_country: str = "",
    from_postal_code: str = "",
) -> dict[str, Any]:
    """What a shipment costs at one carrier, or at each: by its table, or asked now. Weight in kg, volume in litres.

    Without a currency each is asked for its own.
    """
    settings = host.ctx.settings
    if carrier:
        _known(settings, carrier)
    if not 0 <= weight <= WEIGHT_MAX or volume < 0:
        raise RefusedError(f"weight: 0 to {WEIGHT_MAX} kg are expected, volume 0 or more", code="bad-argument")
    shipment = Shipment(
        country=country.upper(),
        postal_code=postal_code,
        weight_kg=weight,
        currency=currency.upper(),
        from_country=from_country.upper(),
        from_postal_code=from_postal_code,
        volume_litres=volume,
    )
    told = [_quoted(settings, one, shipment) for one in ([carrier] if carrier else settings.carriers)]
    places, _ = carriers.places(settings)
    distance = places.distance_km(shipment.from_country, from_postal_code, shipment.country, postal_code)
    return {"carriers": told, "distance_km": None if distance is None else format_decimal(distance)}


def _quoted(settings: Settings, name: str, shipment: Shipment) -> dict[str, Any]:
    try:
        if not shipment.currency:
            shipment = replace(shipment, currency=_currency(settings, name))
        if settings.carriers[name].kind == "table":
            return _by_table(settings, name, shipment)
        return _asked(settings, name, shipment)
    except ConfigError as error:
        return {"name": name, "basis": "", "offers": [], "findings": [_finding(Finding("bad-file", "", error.message))]}


def _currency(settings: Settings, name: str) -> str:
    """In which a carrier quotes: that of its table, of its settings, of the table that stands in for it, or ours."""
    one = settings.carriers[name]
    if one.kind == "table":
        return carriers.rate_table(settings, name).table.currency
    if one.currency:
        return one.currency
    return _currency(settings, one.fallback) if one.fallback else settings.freight.currency or "EUR"


def _by_table(settings: Settings, name: str, shipment: Shipment) -> dict[str, Any]:
    read = carriers.rate_table(settings, name)
    found = price(read.table, shipment)
    told: dict[str, Any] = {"name": name, "basis": "table", "offers": [], "findings": []}
    if isinstance(found, Finding):
        told["findings"] = [_finding(found)]
        return told
    told["offers"] = [
        {
            "service": one.service,
            "cost": plain(one.cost),
            "currency": read.table.currency,
            "transit_days": one.transit_days,
            "zone": one.zone,
            "parcels": one.parcels,
            "parts": {part: plain(amount) for part, amount in one.parts.items()},
        }
        for one in found
    ]
    return told


def _asked(settings: Settings, name: str, shipment: Shipment) -> dict[str, Any]:
    request = QuoteRequest(
        from_country=shipment.from_country,
        from_postal_code=shipment.from_postal_code,
        country=shipment.country,
        postal_code=shipment.postal_code,
        weight_kg=shipment.weight_kg,
        currency=shipment.currency,
        volume_litres=shipment.volume_litres,
    )
    with carriers.open_carrier(settings, name) as carrier:
        [said] = carrier.quotes([request])
    offers: list[dict[str, Any]] = [
        {
            "service": one.service,
            "cost": None if one.cost is None else plain(one.cost),
            "currency": one.currency,
            "transit_days": one.transit_days,
            "zone": "",
            "parcels": None,
            "parts": {},
        }
        for one in said.offers
    ]
    return {"name": name, "basis": "quote", "offers": offers, "findings": [_finding(one) for one in said.findings]}


def plain(value: Decimal) -> str:
    """An exact number without zeros behind."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _known(settings: Settings, name: str) -> None:
    if name not in settings.carriers:
        names = ", ".join(settings.carriers) or "none"
        raise RefusedError(f"there is no carrier {name!r}", code="unknown-carrier", hint=f"carriers are: {names}")


def _finding(one: Finding) -> dict[str, str]:
    return {"rule": one.rule, "path": one.path, "text": one.text}
