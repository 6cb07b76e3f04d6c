"""Validation of documents that share data rather than trade: stock, catalogue, demand, terms and verdicts."""

from __future__ import annotations

from decimal import Decimal

from node.core.document.catalogue import CatalogueLine, ItemCatalogue
from node.core.document.inventory import InventoryReport
from node.core.document.replenishment import Forecast, ReplenishmentRequest, ReplenishmentResponse
from node.core.document.terms import ApplicationOutcome, ApplicationResponse, TradeTerms
from node.core.incoterms import INCOTERMS
from node.core.line_checks import Checks, gtin_fits
from node.core.units import is_unit

__all__ = [
    "check_catalogue",
    "check_forecast",
    "check_inventory",
    "check_replenishment",
    "check_replenishment_response",
    "check_terms",
    "check_verdict",
]

_PLAUSIBLE = Decimal(10**12)


def check_inventory(checks: Checks, document: InventoryReport) -> None:
    """Stock figures name an item and a known unit; a snapshot's parts are counted from 1."""
    codes = {location.code or location.gln for location in document.locations}
    snapshot = document.snapshot
    if snapshot is not None:
        if not snapshot.id:
            checks.add("snapshot", "snapshot.id", "a name for the snapshot was expected")
        if snapshot.part < 1 or (snapshot.parts and snapshot.part > snapshot.parts):
            checks.add("snapshot", "snapshot.part", f"part 1 to {snapshot.parts or 'the last'} was expected")
    for place, line in enumerate(document.lines):
        item = line.item
        if (
            item is None
            or not (gtin_fits(item.gtin) if item.gtin else item.seller_number)
            or not item.seller_number.isprintable()
            or not item.buyer_number.isprintable()
            or not item.manufacturer_number.isprintable()
            or not is_unit(line.unit)
            or (codes and line.location not in codes)
            or (line.on_hand is None and line.available is None and not line.expected_supply)
            or any(
                figure is not None and abs(figure) >= _PLAUSIBLE
                for figure in (line.on_hand, line.available, line.band_end, line.exposed)
            )
        ):
            path = f"lines[{place}]"
            checks.item(item, f"{path}.item")
            checks.unit(line.unit, f"{path}.unit")
            for name in ("on_hand", "available", "band_end", "exposed"):
                checks.decimal(getattr(line, name), f"{path}.{name}")
            if codes and line.location not in codes:
                text = f"{line.location!r} was given, the code of one of the report's locations was expected"
                checks.add("location", f"{path}.location", text)
            if line.on_hand is None and line.available is None and not line.expected_supply:
                checks.add("quantity-missing", path, "on_hand, available or an expected supply was expected")
            if checks.is_full:
                return
        for number, supply in enumerate(line.expected_supply):
            checks.decimal(supply.quantity, f"lines[{place}].expected_supply[{number}].quantity")
            checks.day(supply.on, f"lines[{place}].expected_supply[{number}].on")
    for place, location in enumerate(document.locations):
        checks.location(location, f"locations[{place}]")
    checks.day(document.as_of, "as_of")


def check_catalogue(checks: Checks, document: ItemCatalogue) -> None:
    """Items are named, packed and priced plausibly."""
    checks.ids([line.line_id for line in document.lines], "lines")
    checks.period(document.validity, "validity")
    for place, line in enumerate(document.lines):
        _catalogue_line(checks, line, f"lines[{place}]")
        if checks.is_full:
            return


def _catalogue_line(checks: Checks, line: CatalogueLine, path: str) -> None:
    checks.item(line.item, f"{path}.item")
    if line.base_unit:
        checks.unit(line.base_unit, f"{path}.base_unit")
    for place, pack in enumerate(line.packaging):
        where = f"{path}.packaging[{place}]"
        if pack.gtin and not gtin_fits(pack.gtin):
            checks.add("gtin", f"{where}.gtin", f"{pack.gtin[:40]!r} is no GTIN with its check digit")
        if pack.unit:
            checks.unit(pack.unit, f"{where}.unit")
        for name in ("contains", "order_minimum", "order_multiple"):
            quantity = getattr(pack, name)
            if quantity is not None:
                checks.quantity(quantity, f"{where}.{name}", zero=name == "order_minimum")
    for place, one in enumerate(line.conversions):
        if one.numerator < 1 or one.denominator < 1:
            checks.add("quantity", f"{path}.conversions[{place}]", "a positive fraction was expected")
    checks.price(line.price, f"{path}.price")
    checks.tax(line.tax, f"{path}.tax")
    checks.day(line.valid_from_on, f"{path}.valid_from_on")
    checks.day(line.valid_until_on, f"{path}.valid_until_on")
    for place, component in enumerate(line.components):
        checks.item(component.item, f"{path}.components[{place}].item")
        checks.quantity(component.quantity, f"{path}.components[{place}].quantity")
    if line.replaced_by is not None:
        checks.item(line.replaced_by, f"{path}.replaced_by")


def check_replenishment(checks: Checks, document: ReplenishmentRequest) -> None:
    """A replenishment request asks for positive quantities of named items."""
    if not document.lines:
        checks.add("no-lines", "lines", "at least one line was expected")
    checks.ids([line.line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        checks.item(line.item, f"{path}.item")
        checks.quantity(line.quantity, f"{path}.quantity")
        checks.dates(line.dates, f"{path}.dates")
        checks.location(line.location, f"{path}.location")
        if len(set(line.demand_ids)) != len(line.demand_ids):
            checks.add("demand-twice", f"{path}.demand_ids", "each demand once was expected")
        if checks.is_full:
            return


def check_replenishment_response(checks: Checks, document: ReplenishmentResponse) -> None:
    """A replenishment response says what will come; zero means nothing."""
    checks.ids([line.line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        if line.item is not None:
            checks.item(line.item, f"{path}.item")
        checks.quantity(line.quantity, f"{path}.quantity", zero=True)
        checks.dates(line.dates, f"{path}.dates")


def check_forecast(checks: Checks, document: Forecast) -> None:
    """A forecast gives quantities, zero included, for periods."""
    checks.ids([line.line_id for line in document.lines], "lines")
    checks.period(document.horizon, "horizon")
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        checks.item(line.item, f"{path}.item")
        checks.quantity(line.quantity, f"{path}.quantity", zero=True)
        checks.period(line.period, f"{path}.period")
        if line.period is None:
            checks.add("period-missing", f"{path}.period", "the period of the forecast was expected")
        checks.location(line.location, f"{path}.location")
        if checks.is_full:
            return


def check_terms(checks: Checks, document: TradeTerms) -> None:
    """Trade terms state percentages and plausible days."""
    tolerance = document.tolerance
    if tolerance is not None:
        for name in ("quantity_over", "quantity_under", "price"):
            checks.percent(getattr(tolerance, name), f"tolerance.{name}")
    checks.money(document.order_minimum, "order_minimum")
    checks.money(document.credit_limit, "credit_limit")
    if document.payment_terms is not None:
        checks.percent(document.payment_terms.discount_percent, "payment_terms.discount_percent")
    incoterms = document.delivery_terms.incoterms if document.delivery_terms else ""
    if incoterms and incoterms not in INCOTERMS:
        text = f"{incoterms[:40]!r} was given; {', '.join(INCOTERMS)} was expected"
        checks.add("incoterms", "delivery_terms.incoterms", text)
    checks.period(document.validity, "validity")
    for place, cut_off in enumerate(document.cut_offs):
        hours, colon, minutes = cut_off.time.partition(":")
        if not (colon and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
            checks.add("time", f"cut_offs[{place}].time", f"{cut_off.time[:40]!r} was given, HH:MM was expected")
        if any(not 1 <= day <= 7 for day in cut_off.weekdays):
            checks.add("date", f"cut_offs[{place}].weekdays", "1 (Monday) to 7 was expected")


def check_verdict(checks: Checks, document: ApplicationResponse) -> None:
    """A verdict names the document and says what became of it."""
    if document.document is None or not document.document.number:
        checks.add("document-missing", "document.number", "the number of the document was expected")
    if document.outcome is ApplicationOutcome.UNSPECIFIED:
        checks.add("outcome-missing", "outcome", "what became of it was expected, such as POSTED or REFUSED")
