"""The sourcing problem as it is gathered from a real store, and solved."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from node import wire
from node.app.fulfilment import customer_orders
from node.app.sourcing import gathering, scarcity, site_facts
from node.app.stock import demand, inventory, performance
from node.config import CostRule, FreightSettings, PromisingSettings, SiteSettings
from node.core.confidence import added_days
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow
from node.core.promise_rows import DisruptionRow, SiteLoadRow
from node.core.sourcing.solve import solve
from node.errors import RefusedError
from node.store.database import Database
from tests.companies import Company, connect, swap
from tests.integration.test_performance import Kept
from tests.integration.test_promising import ONE, figure, own_stock, pieces, price, set_to, take, told

TODAY = date(2026, 5, 4)


@pytest.fixture
def pair(tmp_path: Path, store: Database) -> tuple[Company, Company]:
    buyer, seller = Kept(tmp_path / "b", "Buyer", store), Company(tmp_path / "s", "Seller")
    swap(buyer, seller)
    connect(buyer, seller)
    return buyer, seller


def order(number: int, **more: Any) -> CustomerOrderRow:
    empty: dict[str, Any] = {
        name: "" if kind is str else 0 if kind is int else None
        for name, kind in get_type_hints(CustomerOrderRow).items()
    }
    given = {"customer_order_id": number, "kind": "SHIP_TO_HOME", "currency": "EUR", "country": "DE", **more}
    return CustomerOrderRow(**(empty | given))


def line(number: int, line_id: str, item: str, count: int, **more: Any) -> tuple[CustomerLineRow, int]:
    row = CustomerLineRow(
        *(number, line_id, 1, item, "", "", "", "", count * ONE, "C62", 5 * ONE, "", 0, 0, None, 0, 0),
    )
    return row._replace(**more), count * ONE


def wanted(number: int, *lines: tuple[CustomerLineRow, int], **more: Any) -> gathering.Wanted:
    return gathering.Wanted(order=order(number), lines=lines, **more)


def test_an_order_is_gathered_from_our_sites_and_partners_and_solved(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    own, theirs = f"no:{buyer.id}:A", f"no:{seller.id}:S1"
    own_stock(buyer, figure("", own, "DC", 4))
    told(buyer, seller, figure("", theirs, "W", 50))
    take(
        buyer,
        seller.id,
        {
            "item": {"seller_number": "S1", "buyer_number": "A"},
            "price": price("2.00"),
            "order_multiple": pieces(6),
            "lead_time_days": 2,
        },
    )
    name_item(buyer, seller)
    sites = {
        "DC": SiteSettings(country="DE", postal_code="20457", handling_per_order=Decimal("1.5"), cut_off="07:00"),
        f"{seller.id}|*": SiteSettings(lead_days=1, capacity_per_day=Decimal(40), orders_per_day=5),
    }
    costs = PromisingSettings(costs=(CostRule(item="A", cost="1.20 EUR"),))
    set_to(buyer, sites=sites, promising=costs)
    buyer.store.write(lambda tx: tx.demand.put_loads([SiteLoadRow(seller.id, "W", "2026-05-05", 10 * ONE, 2)]))
    gathered = buyer.do(gathering.gather, [wanted(1, line(1, "1", own, 10))])
    problem = gathered.problem
    sources = {one.source_id: one for one in problem.sources}
    ours, partner = sources["|DC"], sources[f"{seller.id}|W"]
    # Monday after the cut-off; the partner needs one working day more than today.
    assert (ours.ship_on, partner.ship_on) == (date(2026, 5, 5), date(2026, 5, 5))
    assert (ours.kind, partner.kind, partner.capacity_left) == ("warehouse", "supplier", Decimal(30))
    assert (ours.orders_left, partner.orders_left) == (None, 3)
    supplies = {one.source_id: one for one in problem.supplies}
    assert (supplies["|DC"].unit_cost, supplies["|DC"].quantity) == (Decimal("1.2"), Decimal(4))
    theirs_now = supplies[f"{seller.id}|W"]
    assert (theirs_now.unit_cost, theirs_now.multiple, theirs_now.on) == (Decimal(2), Decimal(6), date(2026, 5, 6))
    assert ours.confidence * supplies["|DC"].confidence > partner.confidence * theirs_now.confidence
    plan = solve(problem)
    taken = {one.source_id: one.quantity for one in plan.assignments}
    assert taken == {"|DC": 4, f"{seller.id}|W": 6}
    excluded = frozenset({f"{seller.id}|W"})
    again = buyer.do(gathering.gather, [wanted(1, line(1, "1", own, 10), excluded=excluded)])
    left = solve(again.problem)
    assert {one.source_id for one in left.assignments} == {"|DC"}
    assert sum(one.quantity for one in left.unfilled) == 6


@pytest.mark.parametrize(("sold_at", "cost"), [("", "3"), ("5", "5")])
def test_a_partner_that_tells_no_price_does_not_seem_to_give_for_nothing(
    pair: tuple[Company, Company], sold_at: str, cost: str
) -> None:
    buyer, seller = pair
    own_stock(buyer, figure("", f"no:{buyer.id}:A", "DC", 40), figure("", f"no:{buyer.id}:A", "STORE", 40))
    told(buyer, seller, figure("", f"no:{seller.id}:S1", "W", 50))
    name_item(buyer, seller)
    rules = (CostRule(item="A", location="STORE", cost="3 EUR"), CostRule(item="A", cost="1.20 EUR"))
    set_to(buyer, promising=PromisingSettings(costs=rules))
    price_of = int(Decimal(sold_at) * ONE) if sold_at else None
    gathered = buyer.do(gathering.gather, [wanted(1, line(1, "1", f"no:{buyer.id}:A", 10, price=price_of))])
    supplies = {one.source_id: one.unit_cost for one in gathered.problem.supplies}
    assert supplies == {"|DC": Decimal("1.2"), "|STORE": Decimal(3), f"{seller.id}|W": Decimal(cost)}
    assert {one.rule for one in gathered.findings} == {"no-price"}
    assert {one.source_id for one in solve(gathered.problem).assignments} == {"|DC"}


def name_item(buyer: Company, seller: Company) -> None:
    """Our number of the seller's item."""
    catalogue: Any = wire.from_fields(
        "ItemCatalogue",
        {
            "header": {"number": "K2"},
            "lines": [{"line_id": "1", "item": {"seller_number": "S1", "buyer_number": "A"}, "base_unit": "C62"}],
        },
    )
    buyer.store.write(lambda tx: inventory.put_catalogue_aliases(tx, seller.id, catalogue))


def test_one_stock_under_two_names_is_one_supply(pair: tuple[Company, Company]) -> None:
    """Two lines of one order that share an item must not oversell it (Medusa 16502)."""
    buyer, seller = pair
    name_item(buyer, seller)
    own, theirs = f"no:{buyer.id}:A", f"no:{seller.id}:S1"
    own_stock(buyer, figure("", own, "DC", 5))
    found = buyer.do(gathering.gather, [wanted(1, line(1, "1", own, 4), line(1, "2", theirs, 4))])
    assert len(found.problem.supplies) == 1
    assert set(found.items.values()) == {own}
    plan = solve(found.problem)
    assert sum(one.quantity for one in plan.assignments) == 5


def test_lines_in_other_units_stay_open_and_are_told(pair: tuple[Company, Company]) -> None:
    buyer, _ = pair
    own = f"no:{buyer.id}:A"
    own_stock(buyer, figure("", own, "DC", 5))
    odd = line(1, "2", own, 1, unit="KGM")
    found = buyer.do(gathering.gather, [wanted(1, line(1, "1", own, 1), odd)])
    assert "unlike-units" in {one.rule for one in found.findings}
    plan = solve(found.problem)
    assert [one.line_id for one in plan.unfilled] == ["2"]


def test_observed_lead_times_and_delays_move_the_despatch(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    key = f"no:{seller.id}:S1"
    told(buyer, seller, figure("", key, "W", 50))
    set_to(buyer, sites={f"{seller.id}|*": SiteSettings(lead_days=1, weekdays=(1, 2, 3, 4, 5, 6, 7))})

    def ship_on() -> date:
        return buyer.do(gathering.gather, [wanted(1, line(1, "1", key, 1))]).problem.sources[0].ship_on

    assert ship_on() == date(2026, 5, 5)
    row = None
    for _ in range(site_facts.OBSERVED_MIN):
        row = added_days(row, seller.id, "despatch", 3, buyer.ctx.now_micros())
    assert row is not None
    seen = row
    buyer.store.write(lambda tx: tx.performance.put_lead_times([seen]))
    assert ship_on() == date(2026, 5, 7)
    notice = DisruptionRow(
        *(seller.id, "N1", "1", "delay", "", "", "", None, "", 4, "2026-05-04", "", "strike", "R", 3, 0, 1),
        *("in_force", 0),
    )
    buyer.store.write(lambda tx: tx.disruptions.put([notice]))
    assert ship_on() == date(2026, 5, 11)


def test_terms_of_the_partner_limit_what_we_can_order(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    key = f"no:{seller.id}:S1"
    told(buyer, seller, figure("", key, "W", 50))
    terms = (
        '{"order_minimum": {"amount": "25.00", "currency": "EUR"}, "lead_times": [{"days": 4}], '
        '"credit_limit": {"amount": "100.00", "currency": "EUR"}, "holidays_on": ["2026-05-09"]}'
    )
    buyer.store.write(lambda tx: tx.partners.put(buyer_row(tx, seller.id)._replace(terms=terms)))
    source = buyer.do(gathering.gather, [wanted(1, line(1, "1", key, 1))]).problem.sources[0]
    assert (source.order_minimum, source.credit_left, source.lead_days) == (Decimal(25), Decimal(100), 4)
    assert source.ship_on == date(2026, 5, 8)


def buyer_row(tx: Any, partner_id: str) -> Any:
    return tx.partners.get(partner_id)


def test_what_cannot_be_sourced_together_is_refused(pair: tuple[Company, Company]) -> None:
    buyer, _ = pair
    dollars = gathering.Wanted(order=order(2, currency="USD"), lines=[])
    with pytest.raises(RefusedError) as refused:
        buyer.do(gathering.gather, [wanted(1), dollars])
    assert refused.value.code == "currencies"
    assert buyer.do(gathering.gather, []).problem.orders == ()
    nothing = buyer.do(gathering.gather, [wanted(1, line(1, "1", "no:x:UNKNOWN", 10**6))])
    assert nothing.problem.supplies == ()
    assert len(solve(nothing.problem).unfilled) == 1


def test_demand_is_counted_by_day_and_region_and_warns_of_what_runs_out(pair: tuple[Company, Company]) -> None:
    buyer, _ = pair
    key = f"no:{buyer.id}:A"
    own_stock(buyer, figure("", key, "DC", 30))
    days = [date(2026, 4, day) for day in range(5, 31)]
    wants = [demand.Demand(key, "DE", day, 14 * ONE, "C62") for day in days]
    absurd = [
        demand.Demand(key, "DE", TODAY, -ONE, "C62"),
        demand.Demand(key, "DE", TODAY, 10**18, "C62"),
        demand.Demand(key, "DE", date(1, 1, 1), ONE, "C62"),
        demand.Demand("", "DE", TODAY, ONE, "C62"),
    ]
    assert buyer.store.write(lambda tx: demand.note_demand(tx, [*wants, *absurd])) == len(days)
    assert buyer.store.write(lambda tx: demand.note_demand(tx, [demand.Demand(key, "FR", days[0], ONE, "EA")])) == 1
    rows = buyer.read(demand.history, [key], days[0], days[0])
    assert [(row.region, row.quantity, row.unit) for row in rows] == [("DE", 14 * ONE, "C62"), ("FR", ONE, "C62")]
    found = buyer.do(demand.warnings)
    # 365 pieces in 56 days, about 6.5 a day: 30 last for four days.
    assert [(one.item, one.out_on, one.why) for one in found] == [(key, date(2026, 5, 8), "nothing is expected")]
    expected = '[[500000000, "2026-05-06", "purchase"]]'
    own_stock(buyer, figure("", key, "DC", 30, expected=expected))
    assert buyer.do(demand.warnings) == []


def test_what_is_ordered_in_test_is_no_demand(pair: tuple[Company, Company]) -> None:
    buyer, _ = pair
    key = f"no:{buyer.id}:A"
    fields = {
        "order_kind": "SHIP_TO_HOME",
        "country": "DE",
        "lines": [{"line_id": "1", "item": {"seller_number": "A"}, "quantity": {"value": "3", "unit": "C62"}}],
    }
    for usage in ("TEST", "PRODUCTION"):
        made: Any = wire.from_fields("CustomerOrder", {"header": {"number": f"C-{usage}", "usage": usage}, **fields})
        assert buyer.do(customer_orders.capture, made).state == "captured"
    rows = buyer.read(demand.history, [key], TODAY, TODAY)
    assert [(row.region, row.quantity) for row in rows] == [("DE", 3 * ONE)]


def test_a_source_that_does_not_send_is_no_candidate(pair: tuple[Company, Company]) -> None:
    buyer, _ = pair
    key = f"no:{buyer.id}:A"
    own_stock(buyer, figure("", key, "SHOP", 5))
    set_to(buyer, sites={"SHOP": SiteSettings(kind="store", ships=False, collect=True)})
    sent = buyer.do(gathering.gather, [wanted(1, line(1, "1", key, 1))])
    assert sent.problem.services == ()
    collected = gathering.Wanted(order=order(2, collect_at="SHOP"), lines=[line(2, "1", key, 1)])
    found = buyer.do(gathering.gather, [collected])
    assert [one.basis for one in found.problem.services] == ["collect"]
    assert solve(found.problem).unfilled == ()


def test_the_record_of_a_partner_reaches_the_problem(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    key = f"no:{seller.id}:S1"
    told(buyer, seller, figure("", key, "W", 50))
    before = buyer.do(gathering.gather, [wanted(1, line(1, "1", key, 1))]).problem.sources[0].confidence
    at = wire.micros(datetime(2026, 5, 4, 8, tzinfo=UTC))
    buyer.store.write(lambda tx: performance.note(tx, seller.id, "delivered_on_time", 0, 10, at))
    after = buyer.do(gathering.gather, [wanted(1, line(1, "1", key, 1))]).problem.sources[0].confidence
    assert after < before / 2


def test_scarce_stock_is_priced_from_demand_lately(pair: tuple[Company, Company]) -> None:
    """Ten pieces in Hamburg, where eight a week are wanted, and a thousand in Munich: Hamburg's are worth more."""
    buyer, _ = pair
    key = f"no:{buyer.id}:A"
    own_stock(buyer, figure("", key, "HAMBURG", 3), figure("", key, "MUNICH", 1000))
    north, south = demand.region_of("DE", "20457"), demand.region_of("DE", "80331")
    days = [date(2026, 4, day) for day in range(5, 31)]
    wants = [demand.Demand(key, region, day, 2 * ONE, "C62") for day in days for region in (north, south)]
    buyer.store.write(lambda tx: demand.note_demand(tx, wants))
    table = "DE\t20457\tHamburg\t\t\t\t\t\t\t53.54\t9.99\t\nDE\t80331\tMuenchen\t\t\t\t\t\t\t48.14\t11.57\t\n"
    home = buyer.ctx.settings.home
    home.mkdir(parents=True, exist_ok=True)
    (home / "DE.txt").write_text(table)
    sites = {
        "HAMBURG": SiteSettings(country="DE", postal_code="20457"),
        "MUNICH": SiteSettings(country="DE", postal_code="80331"),
    }
    freight = FreightSettings(postal_codes=("DE.txt",), cost=Decimal(4), cost_per_km=Decimal("0.01"))
    set_to(buyer, sites=sites, freight=freight)
    # Customers order in euros and, elsewhere, in dollars: each currency has its own prices; what is a test has none.
    assert buyer.read(scarcity.currencies) == [""]
    for number, currency in enumerate(("EUR", "USD", "EUR", "GBP"), 1):
        usage = "TEST" if currency == "GBP" else "PRODUCTION"
        row = order(number, channel="web", currency=currency, usage=usage, state="active")._replace(number=f"C{number}")
        buyer.store.write(lambda tx, row=row: tx.customer_orders.add([row]))  # type: ignore[misc]
    assert buyer.read(scarcity.currencies) == ["EUR", "USD"]
    assert scarcity.refresh(buyer.store, buyer.ctx) > 0
    assert buyer.read(scarcity.kept, "EUR") == buyer.read(scarcity.kept, "USD") != {}
    assert buyer.read(scarcity.kept, "GBP") == {}
    problem = buyer.do(gathering.gather, [wanted(1, line(1, "1", key, 1))]).problem
    prices = {source: price for (source, _), price in problem.scarcity.items()}
    assert prices["|HAMBURG"] > 0
    assert prices.get("|MUNICH", Decimal(0)) == 0
    # Without any demand nothing is scarce.
    buyer.clock.move(days=900)
    assert scarcity.refresh(buyer.store, buyer.ctx) == 0
    assert buyer.do(gathering.gather, [wanted(1, line(1, "1", key, 1))]).problem.scarcity == {}
