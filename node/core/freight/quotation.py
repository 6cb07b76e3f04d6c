"""What a carrier that quotes by itself is asked, and what of its answer can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from node.core.finding import Finding

__all__ = ["COST_MAX", "DAYS_MAX", "Quotation", "QuoteRequest", "Quoted", "checked"]

COST_MAX = Decimal(100_000)
"""A parcel shipment that is said to cost more than so many units of money is taken for a mistake."""

DAYS_MAX = 90
"""A carrier that says more days on the way than this is not believed."""

_SHOWN_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRequest:
    """A shipment that a carrier is asked about: places, weight in kg, volume in litres, the currency that we want."""

    from_country: str
    from_postal_code: str
    country: str
    postal_code: str
    weight_kg: Decimal
    currency: str
    volume_litres: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """One service that the carrier offers, as it said so; None is what it did not say."""

    service: str
    cost: Decimal | None
    currency: str
    transit_days: int | None


@dataclass(frozen=True, slots=True)
class Quotation:
    """The answer to one request: what is offered, and what was wrong. Without any offer, `findings` say why."""

    offers: tuple[Quoted, ...] = ()
    findings: tuple[Finding, ...] = ()


def checked(request: QuoteRequest, offers: Sequence[Quoted]) -> Quotation:
    """The offers that can be believed, and a finding for each of the others.

    Rules: ``no-offer``, ``no-cost``, ``negative-cost``, ``absurd-cost``, ``other-currency``, ``no-transit-days``,
    ``absurd-transit-days``.
    """
    good, found = [], []
    for index, one in enumerate(offers):
        fault = _fault(request, one, f"offers[{index}]")
        if fault is None:
            good.append(one)
        else:
            found.append(fault)
    if not offers:
        found.append(Finding("no-offer", "offers", "the carrier answered, and offers nothing"))
    return Quotation(tuple(good), tuple(found))


def _fault(request: QuoteRequest, one: Quoted, at: str) -> Finding | None:
    name = one.service[:_SHOWN_MAX] or "a service without name"
    if one.cost is None or not one.cost.is_finite():
        return Finding("no-cost", f"{at}.cost", f"{name}: a cost is expected")
    if one.cost < 0:
        return Finding("negative-cost", f"{at}.cost", f"{name}: costs {one.cost:f}, 0 or more is expected")
    if one.cost > COST_MAX:
        text = f"{name}: costs more than {COST_MAX:f}, which nobody pays for parcels"
        return Finding("absurd-cost", f"{at}.cost", text)
    if one.currency != request.currency:
        said = one.currency[:_SHOWN_MAX] or "no currency"
        return Finding("other-currency", f"{at}.currency", f"{name}: in {said}, {request.currency} was asked for")
    if one.transit_days is None:
        return Finding("no-transit-days", f"{at}.transit_days", f"{name}: days on the way are expected")
    if not 0 <= one.transit_days <= DAYS_MAX:
        text = f"{name}: {one.transit_days} days on the way, 0 to {DAYS_MAX} are expected"
        return Finding("absurd-transit-days", f"{at}.transit_days", text)
    return None
