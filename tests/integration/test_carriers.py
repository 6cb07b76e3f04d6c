"""Freight for sourcing: tables, live quotes kept until their deadline, and what stands in for a carrier that fails."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from node.app.sourcing import carriers
from node.config import parse
from node.core.quote_rows import QuoteRow
from node.core.sourcing.problem import DemandLine, OrderDemand, Source
from node.errors import ConfigError
from node.ports import Store
from tests.carrier_server import Asked, CarrierServer, carrier_server
from tests.companies import Company

D = Decimal
TODAY = date(2026, 5, 4)
DC = Source(source_id="|DC1", location="DC1", country="DE", postal_code="80331", ship_on=TODAY)
SHOP = Source(source_id="|SHOP", location="SHOP", kind="store", country="DE", postal_code="10115", ship_on=TODAY)
PARTNER = Source(
    source_id="0088:4012345000009|X", partner_id="0088:4012345000009", location="X", country="DE", ship_on=TODAY
)
ORDER = OrderDemand(
    order_id="1",
    currency="EUR",
    country="DE",
    postal_code="20095",
    lines=(DemandLine(line_id="1", item_key="i", quantity=D(4), weight_kg=D("0.625")),),
)
SETTINGS = """
[freight]
postal_codes = ["DE.txt"]
currency = "EUR"
cost = 3.50
cost_per_km = 0.01
[carriers."parcel"]
file = "parcel.toml"
sources = ["|DC*"]
[carriers."live"]
kind = "http"
file = "live.toml"
url = "{url}"
secret_file = "key"
sources = ["|DC*"]
timeout_seconds = 1
fallback = "parcel"
"""
OFFER = {
    "available": True,
    "product": {"name": "Express"},
    "price": {"gross": 5.5, "currency": "EUR"},
    "delivery": {"days": 1},
}


@pytest.fixture
def server() -> Iterator[CarrierServer]:
    with carrier_server() as told:
        told.body = json.dumps({"rates": [OFFER]}).encode()
        yield told


@pytest.fixture
def company(tmp_path: Path, project_root: Path, server: CarrierServer) -> Company:
    made = Company(tmp_path, "shop")
    for name in ("parcel.toml", "parcel-rates.csv", "live.toml"):
        shutil.copy(project_root / "config" / "carriers" / name, tmp_path / name)
    (tmp_path / "key").write_text("s3cret\n", encoding="utf-8")
    row = "DE\t{}\tX" + "\t" * 7 + "{}\t{}\n"
    places = row.format("80331", 48.13, 11.57) + row.format("20095", 53.55, 10.0) + row.format("10115", 52.53, 13.38)
    (tmp_path / "DE.txt").write_text(places, encoding="utf-8")
    configure(made, tmp_path, SETTINGS.replace("{url}", server.url))
    return made


def configure(company: Company, home: Path, text: str) -> None:
    company.ctx = replace(company.ctx, settings=parse(text, home))


def told(company: Company, order: OrderDemand = ORDER, *sources: Source) -> carriers.Offers:
    return company.store.read(lambda tx: carriers.offers(tx, company.ctx, [order], sources or (DC,)))


def refresh(company: Company, offers: carriers.Offers) -> list[str]:
    return [one.rule for one in carriers.refresh(company.store, company.ctx, offers.missing)]


def rules(offers: carriers.Offers) -> set[str]:
    return {one.rule for one in offers.findings}


def named(offers: carriers.Offers) -> set[tuple[str, str, str]]:
    return {(one.carrier, one.service, one.basis) for one in offers.services}


def test_a_quote_is_asked_kept_and_asked_again_when_it_is_old(company: Company, server: CarrierServer) -> None:
    before = told(company)
    assert named(before) == {("parcel", "standard", "table"), ("parcel", "express", "table")}
    assert rules(before) == {"fallback"}
    question, half = before.missing
    assert (question.carrier, question.request.weight_kg, question.request.postal_code) == ("live", D("2.5"), "20095")
    assert half.request == replace(question.request, weight_kg=D("1.3"))

    assert refresh(company, before) == []
    assert server.asked[0].headers["Authorization"] == "Bearer s3cret"
    after = told(company)
    assert after.missing == ()
    assert rules(after) == set()
    [live] = [one for one in after.services if one.basis == "quote"]
    assert (live.carrier, live.service, live.cost_fixed, live.cost_per_kg, live.transit_days, live.currency) == (
        "live",
        "Express",
        D("5.5"),
        D(0),
        1,
        "EUR",
    )
    assert live.distance_km is not None
    assert abs(live.distance_km - 612) < 5

    company.clock.move(seconds=3_599)
    assert told(company).missing == ()
    company.clock.move(seconds=1)
    old = told(company)
    assert old.missing == (question, half)
    assert not any(one.basis == "quote" for one in old.services)
    assert company.store.write(lambda tx: tx.quotes.drop_old(company.ctx.now_micros(), 10)) == 2


def test_a_part_of_an_order_costs_what_lies_between_the_quotes_for_its_whole_weight_and_for_half(
    company: Company, server: CarrierServer
) -> None:
    def by_weight(handler: BaseHTTPRequestHandler) -> None:
        """2.00 for a parcel, and 1.50 per kg."""
        question: Asked = handler.question  # type: ignore[attr-defined]
        gross = 2 + 1.5 * json.loads(question.body)["shipment"]["grams"] / 1000
        offer = {**OFFER, "price": {"gross": gross, "currency": "EUR"}}
        server.answer(handler, json.dumps({"rates": [offer]}).encode())

    server.act = by_weight
    assert refresh(company, told(company)) == []
    assert len(server.asked) == 2
    [live] = [one for one in told(company).services if one.basis == "quote"]
    assert (live.cost_fixed, live.cost_per_kg) == (D(2), D("1.5"))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"status": 500}, "bad-status"),
        ({"body": b"<html>Sorry</html>", "kind": "text/html"}, "not-json"),
        ({"status": 302}, "redirect"),
        (
            {"body": json.dumps({"rates": [{**OFFER, "price": {"gross": 5, "currency": "USD"}}]}).encode()},
            "other-currency",
        ),
        (
            {"body": json.dumps({"rates": [{**OFFER, "price": {"gross": -5, "currency": "EUR"}}]}).encode()},
            "negative-cost",
        ),
    ],
)
def test_a_carrier_that_fails_is_replaced_by_its_table_with_the_reason(
    company: Company, server: CarrierServer, changes: dict[str, Any], rule: str
) -> None:
    for name, value in changes.items():
        setattr(server, name, value)
    assert refresh(company, told(company)) == [rule]
    after = told(company)
    assert named(after) == {("parcel", "standard", "table"), ("parcel", "express", "table")}
    assert after.missing == (), "it is not asked again at once"
    [finding] = after.findings
    assert finding.rule == "fallback"
    assert "the rates of parcel stand in for live" in finding.text
    company.clock.move(seconds=60)
    assert len(told(company).missing) == 2


def test_a_slow_carrier_holds_nobody_for_longer_than_its_deadline(company: Company, server: CarrierServer) -> None:
    server.act = server.drip
    assert refresh(company, told(company)) == ["timeout"]
    assert rules(told(company)) == {"fallback"}


def test_settings_that_cannot_be_used_are_a_finding_and_the_table_counts(company: Company, tmp_path: Path) -> None:
    (tmp_path / "key").unlink()
    assert refresh(company, told(company)) == ["bad-settings"]
    assert len(told(company).services) == 2


def test_without_a_table_to_stand_in_there_is_no_service_and_a_reason(
    company: Company, tmp_path: Path, server: CarrierServer
) -> None:
    text = SETTINGS.replace("{url}", server.url).replace('fallback = "parcel"', "").replace('["|DC*"]', '["*"]', 1)
    configure(company, tmp_path, text.replace('"parcel.toml"\nsources = ["*"]', '"parcel.toml"\nsources = ["none"]'))
    offers = told(company)
    assert offers.services == ()
    assert rules(offers) == {"no-quote"}


def test_like_questions_are_asked_once(company: Company, server: CarrierServer) -> None:
    orders = [replace(ORDER, order_id=str(number)) for number in range(5)]
    found = company.store.read(lambda tx: carriers.missing(tx, company.ctx, orders, [DC]))
    assert [one.request.weight_kg for one in found] == [D("2.5"), D("1.3")]
    carriers.refresh(company.store, company.ctx, found * 3)
    assert len(server.asked) == 2
    offers = company.store.read(lambda tx: carriers.offers(tx, company.ctx, orders, [DC]))
    assert len([one for one in offers.services if one.basis == "quote"]) == 5


def test_our_own_rate_where_no_carrier_is_set(company: Company) -> None:
    [own] = told(company, ORDER, SHOP).services
    assert (own.basis, own.carrier, own.transit_days) == ("own", "", 2)
    assert own.cost_fixed == D("3.50") + D("0.01") * (own.distance_km or 0)
    [far] = told(company, ORDER, PARTNER).services
    assert (far.basis, far.distance_km, far.cost_fixed) == ("own", None, D("3.50"))
    dollars = told(company, replace(ORDER, currency="USD"), SHOP)
    assert dollars.services == ()
    assert rules(dollars) == {"other-currency"}


def test_goods_that_are_collected_travel_for_nothing(company: Company) -> None:
    order = replace(ORDER, collect_at="DC1", country="DE", postal_code="80331")
    offers = told(company, order, DC, SHOP)
    [collect] = [one for one in offers.services if one.source_id == "|DC1"]
    assert (collect.basis, collect.cost_fixed, collect.transit_days, collect.distance_km) == ("collect", D(0), 0, D(0))
    assert {one.basis for one in offers.services if one.source_id == "|SHOP"} == {"own"}


def test_unknown_postal_codes_and_places_without_zone_are_findings(company: Company) -> None:
    offers = told(company, replace(ORDER, postal_code="99999"))
    assert {"unknown-postal-code", "fallback"} == rules(offers)
    assert {one.distance_km for one in offers.services} == {None}
    assert rules(told(company, replace(ORDER, country="", postal_code=""))) >= {"unknown-postal-code"}
    heavy = replace(ORDER, lines=(replace(ORDER.lines[0], quantity=D(10**9)),))
    assert "too-heavy" in rules(told(company, heavy))
    assert told(company, heavy).services == ()


def test_tables_are_read_again_when_they_change(company: Company, tmp_path: Path) -> None:
    def costs() -> dict[str, Decimal]:
        return {one.service: one.cost_fixed for one in told(company).services}

    before = costs()
    rates = tmp_path / "parcel-rates.csv"
    text = rates.read_text(encoding="utf-8")
    rates.write_text(text.replace("standard,inland,2,4.10", "standard,inland,2,0.10"), encoding="utf-8")
    os.utime(rates, ns=(1, 1))
    assert costs()["standard"] < before["standard"]
    rates.write_text("nonsense", encoding="utf-8")
    assert costs()["standard"] < before["standard"], "the last good ones count"
    assert "bad-table" in rules(told(company))
    rates.write_text(text, encoding="utf-8")
    assert costs() == before
    assert "bad-table" not in rules(told(company))


def test_tables_that_were_never_good_serve_nobody(company: Company, tmp_path: Path) -> None:
    (tmp_path / "parcel.toml").write_text("zones = 3", encoding="utf-8")
    (tmp_path / "DE.txt").unlink()
    offers = told(company)
    assert offers.services == ()
    assert rules(offers) == {"bad-table", "fallback"}
    _, remarks = carriers.places(company.ctx.settings)
    assert [one.rule for one in remarks] == ["bad-places"]


def test_a_kind_that_is_not_installed(company: Company, tmp_path: Path) -> None:
    configure(company, tmp_path, '[carriers."x"]\nkind = "pigeon"\nfile = "x"\nurl = "https://x.example/"\n')
    with (
        pytest.raises(ConfigError, match="no carrier of kind 'pigeon'"),
        carriers.open_carrier(company.ctx.settings, "x"),
    ):
        pass
    assert carriers.carrier_kinds() == ["table", "http"]


def test_the_store_keeps_answers(store: Store) -> None:
    """On every engine."""
    rows = [QuoteRow("live", f"q{number}", "[]", "[]", 1, number) for number in range(30)]
    store.write(lambda tx: tx.quotes.put(rows))
    store.write(lambda tx: tx.quotes.put([rows[7]._replace(offers="[1]")]))
    found = store.read(lambda tx: tx.quotes.find([("live", "q7"), ("live", "q8"), ("other", "q7")]))
    assert found == [rows[7]._replace(offers="[1]"), rows[8]]
    assert store.read(lambda tx: tx.quotes.find([])) == []
    assert store.write(lambda tx: tx.quotes.drop_old(9, 4)) == 4
    assert store.write(lambda tx: tx.quotes.drop_old(9, 100)) == 6
    assert store.write(lambda tx: tx.quotes.drop_old(9, 100)) == 0


def test_the_settings_check_reads_every_table(company: Company, tmp_path: Path) -> None:
    assert carriers.check_files(company.ctx.settings) == []
    with (tmp_path / "DE.txt").open("a", encoding="utf-8") as file:
        file.write("nonsense\n")
    rates = tmp_path / "parcel-rates.csv"
    good = rates.read_text(encoding="utf-8")
    rates.write_text(good.replace("standard,world,31.5,32.00,,4.20,10\n", ""), encoding="utf-8")
    hole, row = carriers.check_files(company.ctx.settings)
    assert "carrier parcel: rates.world.standard: no price above 5 kg to 31.5 kg" in hole
    assert "row 4" in row
    rates.write_text(good, encoding="utf-8")
    table = tmp_path / "parcel.toml"
    table.write_text(table.read_text(encoding="utf-8").replace('["DE"]\n[zones.neigh', '["*"]\n[zones.neigh'), "utf-8")
    with pytest.raises(ConfigError, match="both claim part of"):
        carriers.check_files(company.ctx.settings)
    (tmp_path / "DE.txt").unlink()
    configure(company, tmp_path, '[freight]\npostal_codes = ["DE.txt"]\n')
    with pytest.raises(ConfigError, match=r"DE\.txt: cannot be read"):
        carriers.check_files(company.ctx.settings)
