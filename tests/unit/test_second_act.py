"""The second act's plan and the companies' systems, without any node: their own adapters carry, and the gate checks."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Change
from adapters.files import FilesAdapter
from adapters.jsonl import JsonLinesAdapter
from adapters.sql import SqlAdapter
from node import wire
from node.app.systems.loading import NodeTargets
from node.core.document.customer import CustomerOrder
from node.errors import ConfigError
from scripts.demonstration import (
    erp_database,
    erp_manufacturer,
    erp_retailer,
    erp_supplier,
    facts,
    supplier_setup,
    trade,
    trade_generator,
)
from scripts.demonstration.second_act import carrier, factory, plan, settings, stores, third_party, wholesale
from scripts.demonstration.second_act.addresses import STORES, address_of
from scripts.demonstration.second_act.plan import Plan

ORDERS = 70
MAPPINGS = Path(trade.__file__).parent / "mappings"
SHOP, WHOLESALER = "0088:2900000000018", supplier_setup.COMPANY


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> trade.Trade:
    path = tmp_path_factory.mktemp("generated") / "trade.csv"
    trade_generator.generate(path, ORDERS)
    return trade.read_trade(path, orders=ORDERS)


@pytest.fixture(scope="module")
def made(found: trade.Trade) -> Plan:
    supply = {
        item.code: facts.supply_of(item.code, item.demand, pack, found.first_at.date()).opening * pack
        for item in found.items.values()
        for pack in [facts.pack_of(item.code, item.common)]
    }
    return plan.make(found, supply, settings.exclusive_items(found.items.values()))


def test_the_story_has_each_of_its_parts_and_each_its_own_item(made: Plan) -> None:
    roles = Counter(want.role for want in made.wants)
    assert roles.pop("") >= 20
    assert roles == Counter(
        ["split", "rejected", "collected", "third party", "drop ship", "waiting 1", "waiting 2", "waiting 3"]
    )
    told = [{line.code for line in made.of(role).lines} for role in roles if not role.startswith("waiting")]
    assert sum(map(len, told)) == len(set().union(*told))
    crowd = {line.code for want in made.wants if not want.role for line in want.lines}
    assert not crowd & set().union(*told)
    assert len({want.number for want in made.wants}) == len(made.wants)


def test_nobody_alone_has_what_is_split_and_nobody_at_all_what_is_waited_for(made: Plan) -> None:
    code = made.of("split").lines[0].code
    shelf = sum(made.shelves[store, code] for store in STORES)
    assert 0 < shelf < made.of("split").lines[0].quantity
    waiting = made.of("waiting 1").lines[0].code
    assert not any(made.shelves[store, waiting] for store in STORES)
    wanted = sum(made.of(f"waiting {place}").lines[0].quantity for place in (1, 2, 3))
    assert 0 < made.receipt[2] < wanted


def test_a_trade_that_is_too_small_says_so(found: trade.Trade) -> None:
    with pytest.raises(ConfigError, match="no item"):
        plan.make(found, {}, [])


def gate(changes: list[Change]) -> list[Any]:
    """Through the node's gate, with what travels beside."""
    documents = []
    for change in changes:
        fields = dict(change.fields)
        personal = fields.pop("personal", None)
        if personal is not None:
            wire.personal_of(personal)
        documents.append(wire.from_fields(change.document_type, fields))
    return documents


def pulled(adapter: Any) -> tuple[list[Change], list[Any]]:
    changes, findings = [], []
    for batch in adapter.pull(None):
        changes += batch.changes
        findings += batch.findings
    return changes, findings


class Shop:
    def __init__(self, home: Path, found: trade.Trade, made: Plan) -> None:
        self.folder = home / "shop"
        erp_retailer.create(self.folder, found)
        self.ledger = erp_database.opened(self.folder / "ledger.sqlite")
        stores.open_shelves(self.ledger, made.shelves)
        options = {"folder": "shop/exchange", "ready": "done", "mappings": str(MAPPINGS / "retailer" / "shop.toml")}
        self.adapter = FilesAdapter(options, home, NodeTargets())

    def close(self) -> None:
        self.adapter.close()
        self.ledger.close()

    def work(self) -> None:
        while erp_retailer.work(self.folder, self.ledger):
            pass

    def instruct(self, number: str, store: str, code: str, pieces: int, collect_at: str = "") -> None:
        parties = [{"role": "SHIP_FROM", "location": {"code": store}}]
        if collect_at:
            parties.append({"role": "SHIP_TO", "location": {"code": collect_at}})
        reference = {"kind": "CUSTOMER_ORDER", "document": {"number": "WEB-1"}}
        fields = {
            "header": {"number": number, "issuer": SHOP, "parties": parties, "references": [reference]},
            "lines": [
                {
                    "line_id": "1",
                    "item": {"gtin": facts.gtin_of(code)},
                    "quantity": {"value": str(pieces), "unit": "C62"},
                }
            ],
            "personal": {"entries": [{"key": "ship-to", "name": "Ada"}]},
        }
        self.adapter.push("Order", fields, f"{SHOP}|{number}")

    def shelf(self, store: str, code: str) -> int:
        query = "SELECT on_hand FROM shelf WHERE store = ? AND item = ?"
        return int(self.ledger.execute(query, (store, code)).fetchone()[0])


@pytest.fixture
def shop(tmp_path: Path, found: trade.Trade, made: Plan) -> Iterator[Shop]:
    opened = Shop(tmp_path, found, made)
    yield opened
    opened.close()


def test_customers_orders_pass_the_gate_with_their_addresses(shop: Shop, made: Plan) -> None:
    want = made.of("split")
    address = address_of(want.customer, want.country)
    row = {
        "number": want.number,
        "kind": want.kind,
        "channel": plan.CHANNEL,
        "customer": want.customer,
        **{name: getattr(address, name) for name in ("name", "street", "city", "postal_code", "country")},
        "collect_at": "",
        "priority": 3,
        "at": "2026-11-22T12:00:00Z",
    }
    stores.want(shop.ledger, row, [(one.line_id, one.code, one.quantity, f"{one.price:f}") for one in want.lines])
    shop.work()
    assert not [change for change in pulled(shop.adapter)[0] if change.document_type == "CustomerOrder"]
    stores.release(shop.ledger, [want.number])
    shop.work()
    changes, findings = pulled(shop.adapter)
    (change,) = [change for change in changes if change.document_type == "CustomerOrder"]
    assert not findings
    (order,) = gate([change])
    assert isinstance(order, CustomerOrder)
    assert (order.country, order.priority, len(order.lines)) == (address.country, 3, len(want.lines))
    assert change.fields["personal"]["entries"][0]["name"] == address.name


def test_a_store_sends_what_it_has_and_says_what_is_missing(shop: Shop, made: Plan) -> None:
    code = made.of("split").lines[0].code
    shop.instruct("WEB-1.1", "HARBOUR", code, plan.IN_STORE + 2)
    shop.work()
    changes, findings = pulled(shop.adapter)
    assert not findings
    gate(changes)
    by_type = {change.document_type: change.fields for change in changes}
    assert by_type["DespatchAdvice"]["lines"][0]["quantity"]["value"] == str(plan.IN_STORE)
    parts = by_type["OrderResponse"]["lines"][0]["schedule"]
    assert [(one["outcome"], one["quantity"]["value"]) for one in parts] == [
        ("REJECTED", "2"),
        ("ACCEPTED", str(plan.IN_STORE)),
    ]
    assert shop.shelf("HARBOUR", code) == 0


def test_what_is_collected_leaves_only_when_the_customer_comes(shop: Shop, made: Plan) -> None:
    code = made.of("collected").lines[0].code
    before = shop.shelf("STATION", code)
    shop.instruct("WEB-1.1", "STATION", code, 2, collect_at="STATION")
    shop.work()
    events = [change for change in pulled(shop.adapter)[0] if change.document_type != "InventoryReport"]
    assert [(one.document_type, one.fields.get("event")) for one in events] == [
        ("DeliveryStatus", "READY_FOR_COLLECTION")
    ]
    assert stores.arrived(shop.ledger, "WEB-1")
    assert shop.shelf("STATION", code) == before - 2
    stores.collect(shop.ledger, "WEB-1")
    shop.work()
    assert shop.ledger.execute("SELECT COUNT(*) FROM goods_out").fetchone()[0] == 1


def test_the_3pl_answers_sends_and_counts(tmp_path: Path) -> None:
    folder = tmp_path / "quayside"
    third_party.create(folder)
    database = erp_database.opened(folder / "warehouse.sqlite")
    gtin = facts.gtin_of("22752") or facts.gtin_of("22753")
    third_party.store_goods(database, SHOP, [(gtin, "BOXES", 5)])
    adapter = JsonLinesAdapter(
        {"folder": "quayside/exchange", "ready": "done", "documents": ["Order"]}, tmp_path, NodeTargets()
    )
    order = {
        "header": {"number": "WEB-1.1", "issuer": SHOP},
        "order_kind": "DESPATCH_INSTRUCTION",
        "lines": [{"line_id": "1", "item": {"gtin": gtin}, "quantity": {"value": "7", "unit": "C62"}}],
    }
    adapter.push("Order", order, f"{SHOP}|WEB-1.1")
    while third_party.work(folder, database):
        pass
    changes, findings = pulled(adapter)
    assert not findings
    gate(changes)
    told = {change.document_type: change.fields for change in changes}
    assert told["OrderResponse"]["outcome"] == "CHANGED"
    assert told["DespatchAdvice"]["lines"][0]["quantity"] == {"value": "5", "unit": "C62"}
    assert [line["on_hand"] for line in told["InventoryReport"]["lines"]] == ["0"]
    assert database.execute("SELECT on_dock FROM goods").fetchone()[0] == 0
    while third_party.work(folder, database):
        pass
    assert database.execute("SELECT COUNT(*), SUM(pieces) FROM movement").fetchone()[:] == (1, 5)
    adapter.close()
    database.close()


@pytest.fixture
def maker(tmp_path: Path, found: trade.Trade) -> Iterator[tuple[sqlite3.Connection, SqlAdapter]]:
    exclusive = settings.exclusive_items(found.items.values())
    erp_manufacturer.create(tmp_path / "maker.sqlite", found.items.values(), found.first_at, exclusive)
    connection = erp_database.opened(tmp_path / "maker.sqlite")
    options = {"url": "sqlite:///maker.sqlite", "mappings": str(MAPPINGS / "manufacturer" / "erp.toml")}
    adapter = SqlAdapter(options, tmp_path, NodeTargets())
    yield connection, adapter
    adapter.close()
    connection.close()


def test_the_maker_sells_whole_dozens_only_and_shows_the_shop_no_exclusive_item(
    maker: tuple[sqlite3.Connection, SqlAdapter], made: Plan, found: trade.Trade
) -> None:
    connection, adapter = maker
    assert not [one for one in pulled(adapter)[0] if one.document_type == "ItemCatalogue"]
    factory.begin(connection, made.made_units)
    lists = {one.partner: one.fields for one in pulled(adapter)[0] if one.document_type == "ItemCatalogue"}
    gate([Change("ItemCatalogue", fields, "", "", None) for fields in lists.values()])
    exclusive = {facts.gtin_of(code) for code in settings.exclusive_items(found.items.values())}
    seen = {name: {line["item"]["gtin"] for line in fields["lines"]} for name, fields in lists.items()}
    assert exclusive
    assert seen[WHOLESALER] - seen[SHOP] == exclusive
    made_item = facts.made_of(made.of("split").lines[0].code)
    assert made_item is not None
    for number, pieces in (("1", made_item.contents), ("2", made_item.contents + 1)):
        line = {"line_id": "1", "item": {"seller_number": made_item.number}}
        order = {"header": {"number": number, "issuer": SHOP}, "lines": [line | {"quantity": {"value": str(pieces)}}]}
        adapter.push("Order", order, f"{SHOP}|{number}")
    erp_manufacturer.work(connection)
    states = dict(connection.execute("SELECT no_commande, etat FROM confirmation"))
    assert states == {"1": "ACCEPTED", "2": "REJECTED"}
    gate(pulled(adapter)[0])


def test_the_wholesaler_rejects_what_quality_control_has_blocked(
    tmp_path: Path, found: trade.Trade, made: Plan
) -> None:
    supplier_setup.create(tmp_path / "supplier.sqlite", found.items.values(), found.first_at)
    connection = erp_database.opened(tmp_path / "supplier.sqlite")
    options = {"url": "sqlite:///supplier.sqlite", "mappings": str(MAPPINGS / "supplier" / "erp.toml")}
    adapter = SqlAdapter(options, tmp_path, NodeTargets())
    erp_supplier.close(connection, 0)
    wholesale.begin(connection, {})
    code, leaves = made.blocked_leaves
    article = facts.supplier_number(code)
    wholesale.block(connection, article, wholesale.free_pieces(connection)[article] - leaves)
    line = {"line_id": "1", "item": {"gtin": facts.gtin_of(code)}, "quantity": {"value": "8", "unit": "C62"}}
    header = {"number": "WEB-1.1", "issuer": SHOP, "issued_at": "2026-11-22T12:00:00Z"}
    adapter.push("Order", {"header": header, "currency": "GBP", "lines": [line]}, f"{SHOP}|WEB-1.1")
    while erp_supplier.work(connection):
        pass
    parts = [tuple(row) for row in connection.execute("SELECT ergebnis, stueck, grund_code FROM ab_position")]
    assert parts == [("ACCEPTED", leaves, None), ("REJECTED", 8 - leaves, "blocked")]
    sent = connection.execute("SELECT versand_am FROM lieferung").fetchall()
    assert len(sent) == 1
    assert datetime.fromisoformat(sent[0][0]).year > found.first_at.year - 1
    gate([one for one in pulled(adapter)[0] if one.document_type != "InventoryReport"])
    adapter.close()
    connection.close()


def test_the_carrier_asks_more_for_weight_and_for_abroad() -> None:
    light, heavy, abroad = (
        {one["service"]: Decimal(one["price"]) for one in carrier.offers(Decimal(kilograms), "GB", to)}
        for kilograms, to in ((1, "GB"), (5, "GB"), (1, "DE"))
    )
    assert all(light[name] < heavy[name] and light[name] < abroad[name] for name in light)
    json.dumps(carrier.offers(Decimal("1.5"), "GB", "FR"))
