"""Rate tables: zones, breaks, parcels, surcharges, days, and what is wrong with a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from node.core.finding import Finding
from node.core.freight import (
    Area,
    Break,
    Calendar,
    Quoted,
    QuoteRequest,
    RateTable,
    ServiceRates,
    Shipment,
    Surcharge,
    Zone,
    checked,
    collected_on,
    delivered_on,
    findings,
    price,
    quote,
    usable,
)

D = Decimal

LOCAL = ServiceRates(
    service="standard",
    zone="local",
    transit_days=1,
    breaks=(Break(weight_to=D(2), price=D("4.10")), Break(weight_to=D(30), price=D("6.90"))),
)
FAR = ServiceRates(
    service="standard",
    zone="far",
    transit_days=3,
    breaks=(
        Break(weight_to=D(2), price=D("9.00")),
        Break(weight_to=None, price=D("9.00"), per_kg_above=D("0.80")),
    ),
)
TABLE = RateTable(
    carrier="Fast",
    currency="EUR",
    zones=(
        Zone("local", (Area("DE", "8", "8"), Area("DE", "90000", "91999"))),
        Zone("rest", (Area("DE"),)),
        Zone("far", (Area("*"),)),
    ),
    rates=(LOCAL, replace(LOCAL, zone="rest", transit_days=2), FAR),
    surcharges=(
        Surcharge(name="fuel", percent=D("10")),
        Surcharge(name="bulky", per_parcel=D(5), weight_over=D(20)),
        Surcharge(name="island", per_shipment=D("12.50"), areas=(Area("DE", "25845", "25849"),)),
    ),
    volumetric_divisor=D(5000),
    parcel_weight_max=D(30),
)


def shipment(country: str = "DE", code: str = "80331", weight: str = "1", **more: object) -> Shipment:
    values: dict = {"country": country, "postal_code": code, "weight_kg": D(weight), "currency": "EUR", **more}
    return Shipment(**values)


def cost(table: RateTable, one: Shipment) -> Decimal:
    rates = price(table, one)
    assert not isinstance(rates, Finding), rates
    return rates[0].cost


def rule(table: RateTable, one: Shipment) -> str:
    found = price(table, one)
    assert isinstance(found, Finding), found
    return found.rule


@pytest.mark.parametrize(
    ("country", "code", "zone"),
    [
        ("DE", "80331", "local"),
        ("DE", "8", "local"),
        ("DE", "90402", "local"),
        ("DE", "91999", "local"),
        ("DE", "92224", "rest"),
        ("DE", "", "rest"),
        ("DE", "nonsense", "rest"),
        ("FR", "75001", "far"),
        ("", "", "far"),
    ],
)
def test_a_place_is_in_the_zone_that_names_it_most_closely(country: str, code: str, zone: str) -> None:
    assert TABLE.zone_of(country, code) == zone


def test_postal_codes_are_compared_without_spaces_and_case() -> None:
    table = replace(TABLE, zones=(Zone("local", (Area("GB", "SW1A", "SW1A"),)),))
    assert table.zone_of("GB", "sw1a 1aa") == "local"
    assert table.zone_of("GB", "SW2 1AA") is None
    assert rule(table, shipment("GB", "SW2 1AA")) == "no-zone"


def test_breaks_and_surcharges_add_up() -> None:
    assert cost(TABLE, shipment(weight="2")) == D("4.51")
    assert cost(TABLE, shipment(weight="2.001")) == D("7.59")
    [rate] = price(TABLE, shipment(weight="25", code="25849"))  # type: ignore[misc]
    assert rate.parts == {"freight": D("6.90"), "fuel": D("0.690"), "bulky": D(5), "island": D("12.50")}
    assert rate.cost == sum(rate.parts.values())


def test_what_is_too_heavy_for_one_parcel_goes_in_several() -> None:
    [rate] = price(TABLE, shipment(weight="61"))  # type: ignore[misc]
    assert (rate.parcels, rate.parts["freight"]) == (3, D("6.90") * 2 + D("4.10"))
    assert rate.parts["bulky"] == 15


def test_volume_counts_as_weight() -> None:
    assert cost(TABLE, shipment(volume_litres=D(10))) == D("4.51")
    assert cost(TABLE, shipment(volume_litres=D("10.1"))) == D("7.59")


def test_a_price_for_each_kg_above_the_break() -> None:
    [rate] = price(TABLE, shipment("FR", weight="12.5"))  # type: ignore[misc]
    assert rate.parts["freight"] == D("9.00") + D("0.80") * D("10.5")
    stepped = replace(TABLE, weight_step=D(1))
    [rate] = price(stepped, shipment("FR", weight="12.5"))  # type: ignore[misc]
    assert rate.parts["freight"] == D("9.00") + D("0.80") * D(11)


def test_a_step_that_passes_the_heaviest_parcel_has_a_price() -> None:
    table = replace(TABLE, weight_step=D(7))
    assert rule(table, shipment(weight="29")) == "no-rate"


@pytest.mark.parametrize(
    ("table", "one", "expected"),
    [
        (TABLE, shipment(currency="USD"), "other-currency"),
        (TABLE, shipment(weight="-1"), "bad-weight"),
        (TABLE, shipment(weight="NaN"), "bad-weight"),
        (TABLE, shipment(weight="1e9"), "too-heavy"),
        (
            replace(TABLE, origins=(Area("AT"),)),
            shipment(from_country="DE", from_postal_code="1"),
            "not-collected-there",
        ),
        (replace(TABLE, zones=TABLE.zones[:1]), shipment("FR"), "no-zone"),
        (replace(TABLE, parcel_weight_max=D(0)), shipment(weight="31"), "no-rate"),
        (replace(TABLE, rates=(replace(LOCAL, transit_days=None),)), shipment(), "no-rate"),
        (replace(TABLE, zones=(*TABLE.zones, Zone("x", (Area("DE", "80", "81"),)))), shipment(), "overlapping-zones"),
    ],
)
def test_what_has_no_price_says_why(table: RateTable, one: Shipment, expected: str) -> None:
    assert rule(table, one) == expected


def test_a_quote_is_exact_for_nothing_and_for_the_whole() -> None:
    one = shipment("FR", weight="12.5")
    [service] = quote(TABLE, one, source_id="|DC1", order_id="7", ship_on=date(2026, 12, 4))  # type: ignore[misc]
    assert service.cost_fixed == D("9.90")
    whole = service.cost_fixed + service.cost_per_kg * one.weight_kg
    assert 0 <= whole - cost(TABLE, one) < D("0.0001")
    # A Friday: three working days on are Wednesday, five days later.
    assert (service.transit_days, service.basis, service.carrier, service.currency) == (5, "table", "Fast", "EUR")


def test_calendar() -> None:
    calendar = Calendar(cut_off=time(15), zone="Europe/Berlin", closed=frozenset({date(2026, 12, 25)}))
    assert collected_on(calendar, datetime(2026, 12, 3, 14, 0, tzinfo=UTC)) == date(2026, 12, 3)
    assert collected_on(calendar, datetime(2026, 12, 3, 14, 1, tzinfo=UTC)) == date(2026, 12, 4)
    assert collected_on(calendar, datetime(2026, 12, 4, 23, 30, tzinfo=UTC)) == date(2026, 12, 7)
    assert delivered_on(calendar, date(2026, 12, 24), 1) == date(2026, 12, 28)
    assert delivered_on(replace(calendar, weekdays=frozenset()), date(2026, 12, 24), 1) == date(2026, 12, 25)


def test_a_sound_table_has_no_findings() -> None:
    assert findings(TABLE) == []


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (replace(TABLE, currency="EURO"), {"unknown-currency"}),
        (replace(TABLE, rates=()), {"no-rates", "zone-without-rates"}),
        (replace(TABLE, rates=TABLE.rates[:2]), {"zone-without-rates"}),
        (replace(TABLE, parcel_weight_max=D("31.5")), {"weight-hole"}),
        (replace(TABLE, parcel_weight_max=D(0)), {"weight-hole"}),
        (
            replace(TABLE, zones=(*TABLE.zones, Zone("x", (Area("DE", "80", "81"),)))),
            {"overlapping-zones", "zone-without-rates"},
        ),
        (replace(TABLE, zones=(*TABLE.zones, Zone("x", (Area("DE"),)))), {"overlapping-zones", "zone-without-rates"}),
        (replace(TABLE, zones=(*TABLE.zones, Zone("x", (Area("UK"),)))), {"unknown-country", "zone-without-rates"}),
        (replace(TABLE, zones=(*TABLE.zones, Zone("x", ()))), {"empty-zone", "zone-without-rates"}),
        (
            replace(TABLE, zones=(*TABLE.zones, Zone("x", (Area("FR", "9", "1"),)))),
            {"empty-zone", "zone-without-rates"},
        ),
        (replace(TABLE, rates=(*TABLE.rates, replace(LOCAL, zone="nowhere"))), {"unknown-zone"}),
        (replace(TABLE, rates=(*TABLE.rates, LOCAL)), {"duplicate-service"}),
        (replace(TABLE, surcharges=(Surcharge(name="x"),)), {"empty-surcharge"}),
        (
            replace(TABLE, surcharges=(Surcharge(name="x", percent=D(1), services=frozenset({"air"})),)),
            {"unknown-service"},
        ),
    ],
)
def test_what_is_wrong_with_a_table(table: RateTable, expected: set[str]) -> None:
    assert {one.rule for one in findings(table)} == expected


@pytest.mark.parametrize(
    ("breaks", "expected"),
    [
        ((Break(weight_to=D(30), price=D(5), currency="USD"),), {"other-currency"}),
        ((Break(weight_to=D(30), price=D(-5)),), {"negative-price"}),
        ((Break(weight_to=D(2), price=D(5)), Break(weight_to=D(30), price=D(4))), {"price-falls"}),
        ((Break(weight_to=D(30), price=D(4)), Break(weight_to=D(2), price=D(5))), {"unreachable-break"}),
        ((Break(weight_to=None, price=D(4)), Break(weight_to=D(2), price=D(5))), {"unreachable-break"}),
        ((Break(weight_to=D(30), price=D(4), volume_to=D(50)),), {"volume-hole"}),
        ((), {"weight-hole"}),
    ],
)
def test_what_is_wrong_with_breaks(breaks: tuple[Break, ...], expected: set[str]) -> None:
    table = replace(TABLE, rates=(replace(LOCAL, breaks=breaks), *TABLE.rates[1:]))
    assert {one.rule for one in findings(table)} - {"zone-without-rates"} == expected


def test_a_table_in_two_currencies_is_not_used() -> None:
    mixed = replace(TABLE, rates=(replace(LOCAL, breaks=(Break(weight_to=D(30), price=D(5), currency="USD"),)),))
    assert not usable(findings(mixed))
    assert rule(mixed, shipment()) == "no-rate"
    assert usable(findings(replace(TABLE, parcel_weight_max=D(40))))


REQUEST = QuoteRequest(
    from_country="DE", from_postal_code="80331", country="FR", postal_code="75001", weight_kg=D(2), currency="EUR"
)


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        (Quoted(service="a", cost=None, currency="EUR", transit_days=1), "no-cost"),
        (Quoted(service="a", cost=D("NaN"), currency="EUR", transit_days=1), "no-cost"),
        (Quoted(service="a", cost=D(-1), currency="EUR", transit_days=1), "negative-cost"),
        (Quoted(service="a", cost=D("1e30"), currency="EUR", transit_days=1), "absurd-cost"),
        (Quoted(service="a", cost=D(1), currency="USD", transit_days=1), "other-currency"),
        (Quoted(service="a", cost=D(1), currency="", transit_days=1), "other-currency"),
        (Quoted(service="a", cost=D(1), currency="EUR", transit_days=None), "no-transit-days"),
        (Quoted(service="a", cost=D(1), currency="EUR", transit_days=-1), "absurd-transit-days"),
        (Quoted(service="a", cost=D(1), currency="EUR", transit_days=9999), "absurd-transit-days"),
    ],
)
def test_an_offer_that_cannot_be_believed_is_left_out_and_reported(offer: Quoted, expected: str) -> None:
    good = Quoted(service="b", cost=D(3), currency="EUR", transit_days=0)
    told = checked(REQUEST, [offer, good])
    assert told.offers == (good,)
    assert [one.rule for one in told.findings] == [expected]


def test_an_answer_without_offers_is_a_finding() -> None:
    assert [one.rule for one in checked(REQUEST, []).findings] == ["no-offer"]
