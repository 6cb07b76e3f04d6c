"""Rate tables: heavier never costs less where the table does not, sums are exact, findings and prices agree."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from node.core.finding import Finding
from node.core.freight import (
    Area,
    Break,
    RateTable,
    ServiceRates,
    Shipment,
    Surcharge,
    Zone,
    findings,
    price,
    quote,
)

D = Decimal


def amounts(most: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(0, most, places=2)


weights = st.decimals("0.001", 200, places=3)
codes = st.text("0123456789", max_size=5)


@st.composite
def breaks(draw: st.DrawFn, *, rising: bool) -> tuple[Break, ...]:
    ends = sorted(draw(st.sets(st.decimals("0.1", 60, places=1), min_size=1, max_size=5)))
    prices = draw(st.lists(amounts(50), min_size=len(ends), max_size=len(ends)))
    per_kg = draw(st.lists(amounts(3), min_size=len(ends), max_size=len(ends)))
    if rising:
        prices, per_kg = sorted(prices), sorted(per_kg)
    return tuple(
        Break(weight_to=end, price=one, per_kg=each) for end, one, each in zip(ends, prices, per_kg, strict=True)
    )


@st.composite
def tables(draw: st.DrawFn, *, rising: bool) -> RateTable:
    found = draw(breaks(rising=rising))
    return RateTable(
        carrier="C",
        currency="EUR",
        zones=(Zone("z", (Area("DE"),)),),
        rates=(ServiceRates(service="s", zone="z", transit_days=1, breaks=found),),
        surcharges=tuple(
            draw(
                st.lists(
                    st.builds(
                        Surcharge,
                        name=st.sampled_from(["fuel", "toll"]),
                        percent=amounts(40),
                        per_shipment=amounts(9),
                        per_parcel=amounts(9),
                        weight_over=st.none() | st.decimals(0, 50, places=1),
                    ),
                    max_size=3,
                )
            )
        ),
        parcel_weight_max=draw(st.sampled_from([D(0), found[-1].weight_to or D(0)])),
    )


def shipment(weight: Decimal) -> Shipment:
    return Shipment(country="DE", postal_code="1", weight_kg=weight, currency="EUR")


@given(tables(rising=True), weights, weights)
def test_heavier_never_costs_less(table: RateTable, one: Decimal, other: Decimal) -> None:
    light, heavy = (price(table, shipment(weight)) for weight in sorted((one, other)))
    if isinstance(light, Finding):
        assert isinstance(heavy, Finding), "what has a price above has one below"
    elif not isinstance(heavy, Finding):
        assert light[0].cost <= heavy[0].cost


@given(tables(rising=False), weights)
def test_the_cost_is_the_exact_sum_of_its_parts(table: RateTable, weight: Decimal) -> None:
    found = price(table, shipment(weight))
    if isinstance(found, Finding):
        return
    [rate] = found
    assert rate.cost == sum(rate.parts.values())
    freight = rate.parts["freight"]
    expected = freight
    for one in table.surcharges:
        if one.weight_over is None or min(weight, table.parcel_weight_max or weight) > one.weight_over:
            expected += freight * one.percent / 100 + one.per_shipment + one.per_parcel * rate.parcels
    assert rate.cost == expected


@given(tables(rising=True), weights)
def test_a_quote_meets_the_price_of_the_whole_shipment(table: RateTable, weight: Decimal) -> None:
    rates, services = price(table, shipment(weight)), quote(table, shipment(weight))
    if isinstance(rates, Finding):
        assert isinstance(services, Finding)
        assert services.rule == rates.rule
        return
    assert not isinstance(services, Finding)
    [rate], [service] = rates, services
    assert 0 <= service.cost_fixed + service.cost_per_kg * weight - rate.cost < D("0.001")
    assert service.cost_fixed >= 0
    assert service.cost_per_kg >= 0


@given(tables(rising=False), weights)
def test_a_weight_without_price_was_reported_as_a_hole(table: RateTable, weight: Decimal) -> None:
    if isinstance(price(table, shipment(weight)), Finding):
        assert "weight-hole" in {one.rule for one in findings(table)}


@given(
    st.lists(st.tuples(codes.filter(bool), codes.filter(bool)), min_size=1, max_size=8),
    codes,
)
def test_zones_without_overlap_are_found_as_a_walk_finds_them(spans: list[tuple[str, str]], code: str) -> None:
    zones = tuple(Zone(str(index), (Area("DE", *sorted(span)),)) for index, span in enumerate(spans))
    rates = tuple(
        ServiceRates(service="s", zone=zone.name, transit_days=1, breaks=(Break(weight_to=None, price=D(1)),))
        for zone in zones
    )
    table = RateTable(carrier="C", currency="EUR", zones=zones, rates=rates)
    holding = [zone.name for zone in zones if zone.areas[0].holds("DE", code)]
    if table.overlaps:
        return
    assert len(holding) <= 1
    assert table.zone_of("DE", code) == (holding[0] if holding else None)
