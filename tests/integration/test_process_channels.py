"""Customer orders enter from a shop's own systems: CSV files and a database, with the consumer's name and address."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from adapters.base import Adapter
from adapters.files import FilesAdapter
from adapters.sql import SqlAdapter
from adapters.targets import SchemaTargets
from node import wire
from node.app.fulfilment import customer_orders
from node.app.systems import erp, refusals
from node.config import AdapterSettings
from node.core.document.common import PersonalData
from node.core.rows import CursorRow
from tests.companies import Company, connect
from tests.customers import GTIN, accept, balanced, put, received, settle

pytestmark = pytest.mark.usefixtures("linked")

SETTINGS = AdapterSettings(name="shop", kind="files")
COLUMNS = ("no", "pos", "gtin", "qty", "who", "name", "street", "city", "zip", "price")
FIELDS = """
[pull.fields]
header.number = "no"
order_kind = { constant = "SHIP_TO_HOME" }
channel = { constant = "web" }
customer = "who"
country = { constant = "DE" }
postal_code = "zip"
currency = { constant = "EUR" }
personal_key = { constant = "home" }
"personal.entries[0].key" = { constant = "home" }
"personal.entries[0].name" = "name"
"personal.entries[0].address.street" = "street"
"personal.entries[0].address.city" = "city"
"personal.entries[0].address.postal_code" = "zip"
"personal.entries[0].address.country" = { constant = "DE" }
[pull.lines]
line_id = "pos"
item.gtin = "gtin"
quantity.value = { column = "qty", convert = ["required", { decimal = "1234.56" }] }
quantity.unit = { constant = "C62" }
price.amount.amount = "price"
price.amount.currency = { constant = "EUR" }
"""
ROWS = [
    ("W1", "1", GTIN, "4", "cust-1", "Ada Lovelace", "Way 1", "Hamburg", "20457", "9.90"),
    ("W1", "2", GTIN, "6", "cust-1", "Ada Lovelace", "Way 1", "Hamburg", "20457", "9.90"),
    ("W2", "1", GTIN, "0", "cust-2", "Bob", "Way 2", "Hamburg", "20457", "9.90"),
]

Make = Callable[[Path, Company], Adapter]


def files(home: Path, shop: Company) -> Adapter:
    head = '[[pull]]\nname = "orders"\ndocument = "CustomerOrder"\nfiles = "*.csv"\nkey = ["no"]\n'
    (home / "shop.toml").write_text(head + FIELDS)
    folder = home / "x" / "in"
    folder.mkdir(parents=True)
    with (folder / "orders.csv").open("w", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows([COLUMNS, *ROWS])
    given = {"folder": "x", "mappings": "shop.toml", "clock": shop.clock.now, "settle_seconds": 0}
    return FilesAdapter(given, home, SchemaTargets())


def database(home: Path, shop: Company) -> Adapter:
    head = '[[pull]]\nname = "orders"\ndocument = "CustomerOrder"\nkey = ["no"]\n'
    query = f'query = "SELECT {", ".join(COLUMNS)} FROM orders ORDER BY no, pos"\n'
    (home / "shop.toml").write_text(head + query + FIELDS)
    with create_engine(f"sqlite:///{home}/shop.db", poolclass=NullPool).connect() as connection:
        connection.execute(text(f"CREATE TABLE orders ({', '.join(f'{name} TEXT' for name in COLUMNS)})"))
        names = ", ".join(f":{name}" for name in COLUMNS)
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
        connection.execute(text(f"INSERT INTO orders VALUES ({names})"), rows)
        connection.commit()
    given = {"url": "sqlite:///shop.db", "mappings": "shop.toml", "clock": shop.clock.now}
    return SqlAdapter(given, home, SchemaTargets())


@pytest.mark.parametrize("make", [files, database])
def test_orders_come_from_the_shops_own_systems(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path, make: Make
) -> None:
    home = tmp_path / "systems"
    home.mkdir()
    put(meyer, 20)
    connect(shop, meyer)
    shop.store.write(lambda tx: tx.settings.put_cursor(CursorRow("shop", "", 1, 0)))
    adapter = make(home, shop)
    try:
        # A file is taken when it has not grown since the pull before.
        pulls = [erp.pull_once(shop.store, shop.ctx, SETTINGS, adapter) for _ in range(3)]
    finally:
        adapter.close()
    assert sum(one.documents for one in pulls) == 1
    assert shop.read(refusals.kept, "shop")[0].findings[0].rule == "quantity"
    if make is files:  # whoever dropped the file reads there what the node did not take
        (findings,) = (home / "x" / "rejected").glob("*.findings.csv")
        with findings.open(encoding="utf-8-sig", newline="") as stream:
            (told,) = csv.DictReader(stream, delimiter=";")
        assert (told["row"], told["field"], told["rule"]) == ("4", "lines[0].quantity", "quantity")
    (row,) = shop.read(lambda tx: tx.customer_orders.search(limit=9))
    assert (row.number, row.channel, row.customer, row.postal_code) == ("W1", "web", "cust-1", "20457")
    personal = shop.read(lambda tx: customer_orders.personal_of(tx, row))
    assert personal is not None
    assert personal.entries[0].name == "Ada Lovelace"
    document = shop.read(lambda tx: tx.documents.get(row.document_id))
    assert document is not None
    assert b"Ada" not in (document.body or b"")
    settle(shop, meyer)
    accept(meyer, received(meyer))
    settle(shop, meyer)
    assert balanced(shop, row.customer_order_id) == {"ordered": 10, "live": 10}
    # Whoever sends the goods gets the name and address beside the order, and they are told to nobody else.
    order = received(meyer)
    sent = meyer.read(lambda tx: tx.documents.get(order.document_id))
    assert sent is not None
    assert sent.personal
    assert wire.decode(PersonalData, sent.personal).entries[0].address.street == "Way 1"  # type: ignore[union-attr]
