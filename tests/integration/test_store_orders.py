"""Orders, stock, aliases, rules and settings in the store, on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from node.core.rows import (
    AliasRow,
    CursorRow,
    LineEventRow,
    OrderLineRow,
    OrderRow,
    ReplenishmentRuleRow,
    SnapshotRow,
    StockRow,
)
from node.errors import HansaError
from node.ports import OrderIdentity, Transaction
from node.store.database import Database

ANNA = "0088:4012345000009"
BERT = "0088:4000001000005"
BIGGEST = 9_200_000_000_000_000_000


def order(order_id: int, **fields: Any) -> OrderRow:
    row = OrderRow(
        *(
            order_id,
            ANNA,
            "buyer",
            ANNA,
            "",
            f"PO-{order_id}",
            "2026",
            0,
            "standard",
            "EUR",
            "TEST",
            5,
            "",
            "",
            order_id,
        )
    )
    return row._replace(**fields)


def line(order_id: int, line_id: str, ordinal: int, **fields: Any) -> OrderLineRow:
    row = OrderLineRow(
        *(order_id, line_id, ordinal, "goods", "", "S", "B", "Schraube Ø 4 · \u4e2d\u6587", BIGGEST, "C62"),
        *(None, None, None, "", 1),
    )
    return row._replace(**fields)


def event(order_id: int, document_id: int, name: str = "accepted", **fields: Any) -> LineEventRow:
    row = LineEventRow(order_id, "1", document_id, "", name, 5, "C62", "2026-12-01", "R-1", "", 9, 1)
    return row._replace(**fields)


def stock(item_key: str, partner_id: str = "", snapshot: int = 0, **fields: Any) -> StockRow:
    row = StockRow(
        *(item_key, partner_id, snapshot, "main", "", "", "exact", 5, -BIGGEST, None, "C62", "", item_key, "", 1, 0)
    )
    return row._replace(**fields)


def snapshot(partner_id: str, number: int, state: str, **fields: Any) -> SnapshotRow:
    return SnapshotRow(partner_id, number, f"S{number}", 1, state, "gross", 1, 1)._replace(**fields)


def test_orders_lines_and_events(store: Database) -> None:
    orders = [order(number) for number in range(1, 4)]
    lines = [line(1, "20", 2), line(1, "10", 1, price=7, price_base=1, requested_on="2026-12-01"), line(2, "1", 1)]
    events = [event(2, 1), event(1, 1, "back_ordered"), event(1, 1, "returned"), event(1, 2, "accepted")]

    def put(tx: Transaction) -> None:
        tx.orders.add_orders(orders)
        tx.orders.add_lines(lines)
        tx.orders.put_lines([lines[2]._replace(quantity=1), line(2, "2", 2)])
        tx.orders.add_events(events)
        tx.orders.update_orders([orders[1]._replace(revision=3, seller_order_number="SO-2")])

    store.write(put)
    assert store.read(lambda tx: tx.orders.lines([2, 1])) == [
        lines[1],
        lines[0],
        lines[2]._replace(quantity=1),
        line(2, "2", 2),
    ]
    assert store.read(lambda tx: tx.orders.events([1, 2])) == [events[1], events[2], events[3], events[0]]
    store.write(lambda tx: tx.orders.supersede(1, [1]))
    assert [row.standing for row in store.read(lambda tx: tx.orders.events([1, 2]))] == [0, 0, 1, 1]
    asked = OrderIdentity(ANNA, "", "PO-2", "2026", "TEST")
    found = store.read(lambda tx: tx.orders.find(ANNA, [asked, asked._replace(number="?"), asked._replace(series="")]))
    assert found == {asked: orders[1]._replace(revision=3, seller_order_number="SO-2")}
    assert store.read(lambda tx: tx.orders.find(BERT, [asked])) == {}
    assert store.read(lambda tx: tx.orders.find(BERT, [])) == {}


def test_events_keep_their_order_however_many_come(store: Database) -> None:
    events = [event(1, 1, detail=str(number)) for number in range(53)]

    def put(tx: Transaction) -> None:
        tx.orders.add_orders([order(1)])
        tx.orders.add_events(events[:2])
        tx.orders.add_events(events[2:])

    store.write(put)
    assert store.read(lambda tx: tx.orders.events([1])) == events


def test_what_orders_refuse(store: Database) -> None:
    store.write(lambda tx: tx.orders.add_orders([order(1)]))
    wrong: list[Any] = [
        lambda tx: tx.orders.add_orders([order(2, number="PO-1")]),
        lambda tx: tx.orders.add_orders([order(2, role="owner")]),
        lambda tx: tx.orders.add_lines([line(7, "1", 1)]),
        lambda tx: tx.orders.add_events([event(7, 1)]),
        lambda tx: tx.orders.add_events([event(1, 1, "eaten")]),
        lambda tx: tx.orders.add_lines([line(1, "1", 1), line(1, "1", 1)]),
    ]
    for use_case in wrong:
        with pytest.raises(HansaError, match="rules"):
            store.write(use_case)
    store.write(lambda tx: tx.orders.add_orders([order(2, number="PO-1", partner_id=BERT)]))


def test_search_for_orders(store: Database) -> None:
    rows = [
        order(1, customer_order="C-1"),
        order(2, seller_order_number="C-1"),
        order(3, number="C-1", partner_id=BERT),
        order(4),
        order(5, customer_order="C-1"),
    ]
    store.write(lambda tx: tx.orders.add_orders(rows))

    def searched(**filters: Any) -> list[int]:
        return [row.order_id for row in store.read(lambda tx: tx.orders.search(**filters))]

    assert searched() == [5, 4, 3, 2, 1]
    assert searched(number="C-1") == [5, 3, 2, 1]
    assert searched(number="C-1", partner_id=ANNA, before=5, limit=1) == [2]
    assert searched(partner_id=BERT) == [3]
    assert searched(number="") == []


def test_only_figures_in_force_are_told(store: Database) -> None:
    rows = [
        stock("a"),
        stock("a", ANNA, 1),
        stock("a", ANNA, 2, available=2),
        stock("a", ANNA, 2, location="west"),
        stock("a", BERT, 1),
        stock("b", ANNA, 2),
    ]

    def put(tx: Transaction) -> None:
        tx.stock.put(rows)
        tx.stock.put_snapshot(snapshot(ANNA, 1, "current"))
        tx.stock.put_snapshot(snapshot(BERT, 1, "building"))

    store.write(put)
    assert store.read(lambda tx: tx.stock.figures(["a"])) == [rows[0], rows[1]]
    store.write(lambda tx: tx.stock.put_snapshot(snapshot(ANNA, 2, "current")))
    assert store.read(lambda tx: tx.stock.figures(["a"])) == [rows[0], rows[2], rows[3]]
    assert store.read(lambda tx: tx.stock.figures(["b", "a", "?"])) == [rows[0], rows[2], rows[3], rows[5]]
    assert store.read(lambda tx: tx.stock.figures([])) == []
    assert store.read(lambda tx: tx.stock.own_figures(["a"])) == [rows[0]]
    assert store.read(lambda tx: tx.stock.own_figures(["b", "a", "?"])) == [rows[0]]
    assert store.read(lambda tx: [tx.stock.count(who) for who in ("", ANNA, BERT)]) == [1, 3, 0]


def test_snapshots_and_what_is_dropped(store: Database) -> None:
    first, second = snapshot(ANNA, 1, "current"), snapshot(ANNA, 2, "building", name="S1")

    def put(tx: Transaction) -> None:
        tx.stock.put_snapshot(first)
        tx.stock.put_snapshot(second)
        tx.stock.put([stock(f"item {number:02}", ANNA, 1 + number % 2) for number in range(24)])

    store.write(put)
    assert store.read(lambda tx: tx.stock.current_snapshot(ANNA)) == first
    assert store.read(lambda tx: tx.stock.current_snapshot(BERT)) is None
    assert store.read(lambda tx: tx.stock.snapshot_named(ANNA, "S1")) == second
    assert store.write(lambda tx: tx.stock.drop_old(99)) == 0
    store.write(lambda tx: tx.stock.put_snapshot(second._replace(state="current", name="S2")))
    assert store.read(lambda tx: tx.stock.current_snapshot(ANNA)) == second._replace(state="current", name="S2")
    assert store.read(lambda tx: tx.stock.snapshot_named(ANNA, "S1")) == first._replace(state="old")
    assert [store.write(lambda tx: tx.stock.drop_old(5)) for _ in range(4)] == [5, 5, 2, 0]
    assert store.read(lambda tx: tx.stock.snapshot_named(ANNA, "S1")) is None
    assert store.read(lambda tx: tx.stock.count(ANNA)) == 12


def test_own_changes(store: Database) -> None:
    first = store.write(lambda tx: tx.stock.next_changes(30))
    rows = [stock(f"item {number:02}", change=first + number) for number in range(30)]
    store.write(lambda tx: tx.stock.put([*rows, stock("theirs", ANNA, 1, change=99)]))
    assert store.read(lambda tx: tx.stock.own_changed(first + 26, 9)) == rows[27:]
    assert store.read(lambda tx: tx.stock.own_changed(0, 2)) == rows[:2]
    assert store.read(lambda tx: tx.stock.last_change()) == first + 29
    store.write(lambda tx: tx.stock.put([rows[0]._replace(change=first + 40, on_hand=0)]))
    assert store.read(lambda tx: tx.stock.own_changed(first + 29, 9)) == [
        rows[0]._replace(change=first + 40, on_hand=0)
    ]


@pytest.mark.parametrize("count", [1, 4, 19, 20, 65])
def test_of_figures_with_one_key_the_last_stays(store: Database, count: int) -> None:
    rows = [stock(f"item {number // 2}", on_hand=number, change=1 + number) for number in range(count)]
    store.write(lambda tx: tx.stock.put(rows))
    found = store.read(lambda tx: tx.stock.figures([f"item {number}" for number in range(count)]))
    assert sorted(row.on_hand or 0 for row in found) == [
        number for number in range(count) if number % 2 or number == count - 1
    ]
    store.write(lambda tx: tx.stock.put([]))


def test_aliases_and_rules(store: Database) -> None:
    aliases = [AliasRow("gtin:1", "A", ""), AliasRow("X-9", "A", ANNA), AliasRow("X-9", "B", BERT)]
    rule = ReplenishmentRuleRow("a", "main", ANNA, 5, 9, 1, "C62", "", "S", "B", 0, None)

    def put(tx: Transaction) -> None:
        tx.stock.put_aliases(aliases)
        tx.stock.put_aliases(aliases * 3)
        tx.stock.put_rules([rule, rule._replace(item_key="b")])
        tx.stock.put_rules([rule._replace(partner_id=BERT, requested=4, requested_at=7)])

    store.write(put)
    assert store.read(lambda tx: tx.stock.aliases(["X-9"])) == [aliases[1], aliases[2]]
    assert store.read(lambda tx: tx.stock.aliases(["A", "?"])) == [aliases[1], aliases[0]]
    assert store.read(lambda tx: tx.stock.aliases([])) == []
    assert store.read(lambda tx: tx.stock.rules(["a", "c"])) == [
        rule._replace(partner_id=BERT, requested=4, requested_at=7)
    ]


def test_settings_and_cursors(store: Database) -> None:
    cursor = CursorRow("erp", "2026-11-01", 0, 5)

    def put(tx: Transaction) -> None:
        for value in ("first", "second"):
            tx.settings.put("colour", value)
        tx.settings.put_cursor(cursor)
        tx.settings.put_cursor(cursor._replace(confirmed=1))

    store.write(put)
    assert store.read(lambda tx: tx.settings.get("colour")) == "second"
    assert store.read(lambda tx: tx.settings.get("size")) is None
    assert store.read(lambda tx: tx.settings.cursor("erp")) == cursor._replace(confirmed=1)
    assert store.read(lambda tx: tx.settings.cursor("?")) is None
