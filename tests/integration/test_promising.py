"""Promises over our own sites, the ledger and what partners share, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.stock import inventory, ledger, performance, prices, promising, reservations
from node.config import PromisingSettings, SafetyRule, Settings
from node.core.document.catalogue import ItemCatalogue
from node.core.promise_rows import DisruptionRow
from node.core.reservation_rows import ReservationRow
from node.core.rows import StockRow
from node.errors import RefusedError
from node.store.database import Database
from tests.companies import Company, connect, swap
from tests.integration.test_performance import Kept

ONE = 10**6
TODAY = date(2026, 5, 4)
GTIN = "04012345000016"


@pytest.fixture
def pair(tmp_path: Path, store: Database) -> tuple[Company, Company]:
    buyer, seller = Kept(tmp_path / "b", "Buyer", store), Company(tmp_path / "s", "Seller")
    swap(buyer, seller)
    connect(buyer, seller)
    return buyer, seller


def figure(partner_id: str, key: str, location: str, count: int, **more: Any) -> StockRow:
    row = StockRow(
        *(key, partner_id, 0, location, "", "AVAILABLE", "EXACT", count * ONE, count * ONE, None, "C62"),
        *("", key.rpartition(":")[2], "", 1, 0),
    )
    return row._replace(**more)


def own_stock(company: Company, *rows: StockRow) -> None:
    company.do(inventory.put_own, rows, "NET")


def told(company: Company, other: Company, *rows: StockRow, at: str = "2026-05-04T08:00:00Z") -> None:
    report: Any = wire.from_fields("InventoryReport", {"as_of": at, "basis": "NET"})
    as_of = wire.micros(report.as_of)
    fresh = [row._replace(partner_id=other.id, as_of=as_of) for row in rows]
    company.do(inventory.take_report, other.id, inventory.StockReport(report, fresh, []))


def promised(company: Company, item: str, count: int, by: date = TODAY, **more: Any) -> promising.Promised:
    return company.do(promising.promise, item, Decimal(count), by, **more)


def parts(found: promising.Promised) -> list[tuple[str, str, int]]:
    return [(part.partner_id, part.location, int(part.quantity)) for part in found.promise.parts]


def set_to(company: Company, **sections: Any) -> None:
    settings: Settings = replace(company.ctx.settings, **sections)
    company.ctx = replace(company.ctx, settings=settings)


def test_our_own_stock_counts_less_what_is_kept_and_held(pair: tuple[Company, Company]) -> None:
    buyer, _ = pair
    key = f"no:{buyer.id}:A"
    own_stock(buyer, figure("", key, "DC", 20), figure("", key, "SHOP", 9))
    set_to(buyer, promising=PromisingSettings(safety=(SafetyRule(location="SHOP", quantity=Decimal(4)),)))
    assert promised(buyer, "A", 25).promise.by_then == 25
    assert promised(buyer, "A", 26).promise.on is None
    held = buyer.do(
        reservations.reserve_own,
        item_key=key,
        location="DC",
        quantity=7 * ONE,
        unit="C62",
        customer_order="C1",
        piece_id=1,
        until=buyer.ctx.now_micros() + 10**9,
    )
    assert held is not None
    found = promised(buyer, "A", 100)
    assert parts(found) == [("", "DC", 13), ("", "SHOP", 5)]
    assert found.promise.parts[0].confidence > Decimal("0.96")
    assert buyer.read(ledger.verify) == []


def test_a_partners_figure_counts_with_its_age_and_less_what_it_cannot_tell_of_yet(
    pair: tuple[Company, Company],
) -> None:
    buyer, seller = pair
    key = f"no:{seller.id}:A"
    told(buyer, seller, figure("", key, "W", 10))
    fresh = promised(buyer, key, 4).promise
    assert [(part.partner_id, part.age_seconds) for part in fresh.parts] == [(seller.id, 0)]
    buyer.clock.move(days=7)
    assert promised(buyer, key, 4, date(2026, 5, 11)).promise.confidence * 2 == pytest.approx(
        fresh.confidence, abs=Decimal("0.001")
    )
    buyer.clock.move(days=-7, seconds=1)
    hold(buyer, seller, key, "granted", 3)
    assert promised(buyer, key, 100).promise.by_then == 7
    # What the partner tells from now on knows of the hold.
    buyer.clock.move(seconds=5)
    told(buyer, seller, figure("", key, "W", 7), at="2026-05-04T08:00:05Z")
    assert promised(buyer, key, 100).promise.by_then == 7
    hold(buyer, seller, key, "requested", 2)
    assert promised(buyer, key, 100).promise.by_then == 5


def hold(buyer: Company, seller: Company, key: str, state: str, count: int) -> None:
    row = ReservationRow(
        *(f"{state}-1", seller.id, "requester", state, key, "W", count * ONE, count * ONE, "C62", 0, 0, 0, "", 0),
        *(buyer.ctx.now_micros() + 10**9, 0, "", 0, 0, "", "", "", buyer.ctx.now_micros()),
    )
    buyer.store.write(lambda tx: tx.reservations.put([row]))


def test_one_item_is_found_under_every_partys_number(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    told(buyer, seller, figure("", f"gtin:{GTIN}", "W", 5, gtin=GTIN), figure("", f"no:{seller.id}:S-9", "X", 6))
    own_stock(buyer, figure("", f"gtin:{GTIN}", "DC", 2, gtin=GTIN, number="A"))
    catalogue = wire.from_fields(
        "ItemCatalogue",
        {
            "header": {"number": "K1"},
            "lines": [{"line_id": "1", "item": {"seller_number": "S-9", "buyer_number": "A"}, "base_unit": "C62"}],
        },
    )
    assert isinstance(catalogue, ItemCatalogue)
    buyer.store.write(lambda tx: inventory.put_catalogue_aliases(tx, seller.id, catalogue))
    for name in ("A", GTIN, f"no:{seller.id}:S-9", f"no:{buyer.id}:A"):
        assert promised(buyer, name, 100).promise.by_then == 13


def test_boxes_and_pieces_are_added_only_through_the_items_own_packs(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    key = f"gtin:{GTIN}"
    told(buyer, seller, figure("", key, "W", 5, gtin=GTIN), figure("", key, "W2", 2, gtin=GTIN, unit="XBX"))
    alone = promised(buyer, GTIN, 100)
    assert alone.promise.by_then == 5
    assert [one.rule for one in alone.findings] == ["unlike-units"]
    take(
        buyer,
        seller.id,
        {"item": {"gtin": GTIN}, "packaging": [{"unit": "XBX", "contains": pieces(12)}], "price": price("1.50")},
    )
    found = promised(buyer, GTIN, 100)
    assert (found.promise.by_then, found.findings) == (Decimal(29), [])
    assert {part.location: part.multiple for part in found.promise.parts} == {"W2": 12, "W": 1}
    assert promised(buyer, GTIN, 2, unit="XBX").promise.by_then == 2


def pieces(count: int) -> dict[str, str]:
    return {"value": str(count), "unit": "C62"}


def price(amount: str, **more: Any) -> dict[str, Any]:
    return {"amount": {"amount": amount, "currency": "EUR"}, **more}


def take(company: Company, partner_id: str, *lines: dict[str, Any], whole: bool = False) -> None:
    numbered = [{"line_id": str(place), "base_unit": "C62", **line} for place, line in enumerate(lines)]
    catalogue = wire.from_fields("ItemCatalogue", {"header": {"number": "K"}, "lines": numbered, "whole": whole})
    company.do(prices.take_catalogues, partner_id, [catalogue])


def test_a_kit_is_made_of_components_at_one_place_of_one_owner(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    kit = {
        "item": {"seller_number": "KIT"},
        "components": [
            {"item": {"seller_number": "WHEEL"}, "quantity": pieces(4)},
            {"item": {"seller_number": "FRAME"}, "quantity": pieces(1)},
        ],
    }
    take(buyer, "", kit)
    own = f"no:{buyer.id}:"
    own_stock(
        buyer,
        figure("", own + "WHEEL", "DC", 10),
        figure("", own + "FRAME", "SHOP", 10),
        figure("", own + "KIT", "DC", 1),
    )
    told(buyer, seller, figure("", f"no:{seller.id}:FRAME", "W", 10))
    # Enough of each together, but not at one place: only the one that is made already.
    assert promised(buyer, "KIT", 100).promise.by_then == 1
    own_stock(buyer, figure("", own + "FRAME", "DC", 3))
    found = promised(buyer, "KIT", 100)
    assert found.promise.by_then == 3
    assert found.promise.parts[0].notes == ("made from components",)


def test_a_pack_with_its_own_gtin_is_promised_from_loose_pieces(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    box = "14012345000013"
    take(buyer, seller.id, {"item": {"gtin": GTIN}, "packaging": [{"gtin": box, "unit": "C62", "contains": pieces(6)}]})
    told(buyer, seller, figure("", f"gtin:{GTIN}", "W", 20, gtin=GTIN))
    assert promised(buyer, box, 100).promise.by_then == 3


def test_a_notice_of_disruption_cuts_the_promise_until_it_ends(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    key = f"no:{seller.id}:A"
    told(buyer, seller, figure("", key, "W", 10))
    row = DisruptionRow(
        *(seller.id, "N1", "1", "closure", key, "", "", None, "C62", 0, "2026-05-04", "2026-05-08", "flood"),
        *("R", 3, 0, 1, "in_force", 0),
    )
    buyer.store.write(lambda tx: tx.disruptions.put([row]))
    found = promised(buyer, key, 5).promise
    assert (found.by_then, found.on) == (Decimal(0), date(2026, 5, 9))
    assert found.parts[0].notes == ("closure until 2026-05-08: flood",)
    buyer.store.write(lambda tx: tx.disruptions.put([row._replace(state="ended")]))
    assert promised(buyer, key, 5).promise.on == TODAY


def test_lower_bounds_are_promised_as_such(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    key = f"no:{seller.id}:"
    told(
        buyer,
        seller,
        figure("", key + "CAP", "W", 50, figure="CAPPED", on_hand=None),
        figure("", key + "BAND", "W", 10, figure="BAND", band_end=100 * ONE, on_hand=None),
        figure("", key + "YES", "W", 1, figure="YES_NO", on_hand=None),
    )
    for name, least in (("CAP", 50), ("BAND", 10), ("YES", 1)):
        found = promised(buyer, key + name, 1000).promise
        assert found.by_then == least
        assert found.parts[0].figure != "EXACT"


def test_absurd_questions_are_refused(pair: tuple[Company, Company]) -> None:
    buyer, _ = pair
    for count, by, code in ((0, TODAY, "bad-quantity"), (-3, TODAY, "bad-quantity"), (1, date(2020, 1, 1), "past")):
        with pytest.raises(RefusedError) as refused:
            promised(buyer, "A", count, by)
        assert refused.value.code == code
    with pytest.raises(RefusedError):
        promised(buyer, "A", 10**30)
    with pytest.raises(RefusedError):
        promised(buyer, "A", 1, unit="PARROTS")
    nothing = promised(buyer, "NO-SUCH-ITEM", 10**9)
    assert (nothing.promise.by_then, nothing.promise.on, nothing.promise.parts) == (Decimal(0), None, ())


def test_confidence_falls_with_what_the_partner_got_wrong(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    told(buyer, seller, figure("", f"no:{seller.id}:A", "W", 10))
    before = promised(buyer, f"no:{seller.id}:A", 1).promise.confidence
    buyer.store.write(lambda tx: performance.note(tx, seller.id, "line_accepted", 0, 5, buyer.ctx.now_micros()))
    assert promised(buyer, f"no:{seller.id}:A", 1).promise.confidence < before * Decimal("0.6")


def test_prices_are_kept_by_tier_and_day(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    tiers = [{"minimum": pieces(100), "amount": {"amount": "1.20", "currency": "EUR"}}]
    packaging = [{"unit": "XBX", "contains": pieces(12), "gross_weight": {"value": "6", "unit": "KGM"}}]
    more = {"order_minimum": {"value": "1", "unit": "XBX"}, "lead_time_days": 3}
    take(
        buyer,
        seller.id,
        {"item": {"gtin": GTIN}, "price": price("1.50", tiers=tiers), "packaging": packaging, **more},
        {"item": {"seller_number": "B"}, "price": price("10.00", base_quantity={"value": "1", "unit": "XBX"})},
    )
    rows = buyer.read(lambda tx: tx.offers.prices([f"gtin:{GTIN}"]))
    offer = buyer.read(lambda tx: tx.offers.offers([f"gtin:{GTIN}"]))[0]
    assert (offer.order_minimum, offer.lead_days, offer.weight) == (12 * ONE, 3, ONE // 2)
    known = prices.factors([offer])
    assert prices.unit_cost(rows, Decimal(99), "C62", TODAY, known) == (Decimal("1.5"), "EUR")
    assert prices.unit_cost(rows, Decimal(100), "C62", TODAY, known) == (Decimal("1.2"), "EUR")
    assert prices.unit_cost(rows, Decimal(1), "XBX", TODAY, known) == (Decimal(18), "EUR")
    assert prices.unit_cost(rows, Decimal(1), "C62", TODAY, known, "USD") is None
    # A whole catalogue without the item ends the offer.
    take(buyer, seller.id, {"item": {"seller_number": "B"}}, whole=True)
    assert buyer.read(lambda tx: tx.offers.prices([f"gtin:{GTIN}"])) == []
    assert buyer.read(lambda tx: tx.offers.offers([f"gtin:{GTIN}"]))[0].orderable == 0
