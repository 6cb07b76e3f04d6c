"""Reports of stock between rows and bytes: the quick way for plain lines says the same as the one for all others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from node.codec import message_class
from node.core.document.inventory import InventoryReport
from node.core.identifiers import check_digit, is_gtin, wrong_gtins
from node.core.rows import StockRow
from node.stock_wire import own_rows, read_report, write_report
from node.wire import micros

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
OWNER = "gb:04567"
GTIN = "4006381333931"


def row(**fields: Any) -> StockRow:
    made = StockRow(
        *(f"gtin:0{GTIN}", OWNER, 0, "DC1", "", "AVAILABLE", "EXACT", 5_000_000, 2_500_000, None, "C62", GTIN, "A-1"),
        *("", micros(AT), 0),
    )
    return made._replace(**fields)


def numbered(number: str, **fields: Any) -> StockRow:
    return row(item_key=f"no:{OWNER}:{number}", gtin="", number=number, **fields)


PLAIN = [row(), row(available=-1_000_000), row(number=""), numbered("7 x"), row(pool="P", status="BLOCKED", unit="XBX")]
OTHER = [
    numbered("Ä-1"),
    row(location="Köln"),
    numbered("x" * 127),
    numbered("x" * 400),
    row(location="y" * 300),
    row(on_hand=None),
    row(available=None),
    row(on_hand=None, figure="BAND", available=0, band_end=10_000_000),
    row(as_of=micros(AT) + 5),
    row(expected='[[1000000, "2026-12-01", "purchase"]]'),
    row(
        expected='[[1000000, "2026-12-01", "purchase"], [500000, "2026-12-24", "lot"], [2000000, "2027-01-31", "lot"]]'
    ),
]


@pytest.mark.parametrize("rows", [PLAIN, OTHER, *([*PLAIN, one, *PLAIN] for one in OTHER), []])
def test_what_is_written_is_read_again(rows: list[StockRow]) -> None:
    body = write_report(InventoryReport(as_of=AT), rows)
    read = read_report(body, OWNER)
    assert read.rows == rows
    assert not read.findings
    assert read.report == InventoryReport(as_of=AT)


@pytest.mark.parametrize(
    ("lot", "rule"),
    [
        ({"best_before_on": "2026-02-30"}, "bad-date"),
        ({"best_before_on": "2026-12-24", "quantity": {"value": "1", "unit": "KGM"}}, "unlike-units"),
        ({"best_before_on": "2026-12-24", "quantity": {"value": "1e3", "unit": "C62"}}, "bad-decimal"),
    ],
)
def test_a_lot_that_is_wrong_is_told_with_its_line(lot: dict[str, Any], rule: str) -> None:
    message = message_class("InventoryReport")()
    line = message.lines.add(available="5", unit="C62")
    line.item.seller_number = "A-1"
    quantity = lot.pop("quantity", None)
    made = line.trace.add(**lot)
    if quantity:
        made.quantity.value, made.quantity.unit = quantity["value"], quantity["unit"]
    found = read_report(message.SerializeToString(), OWNER)
    assert found.rows == []
    assert [(one.rule, one.path) for one in found.findings] == [(rule, "lines[0]")]


def test_a_lot_without_a_quantity_is_all_there_is_and_one_without_a_day_says_nothing() -> None:
    message = message_class("InventoryReport")()
    line = message.lines.add(available="5", unit="C62")
    line.item.seller_number = "A-1"
    line.trace.add(lot="L1")
    line.trace.add(expires_on="2026-12-24")
    (found,) = read_report(message.SerializeToString(), OWNER).rows
    assert found.expected == '[[5000000, "2026-12-24", "lot"]]'


def test_a_plain_report_has_the_bytes_of_messages() -> None:
    message = message_class("InventoryReport")
    body = write_report(InventoryReport(as_of=AT), PLAIN)
    assert [line.item.seller_number for line in message.FromString(body).lines] == [one.number for one in PLAIN]
    # Written again, fields stand in the order of their numbers; nothing else differs.
    assert len(message.FromString(body).SerializeToString(deterministic=True)) == len(body)


FAULTS: dict[str, dict[str, Any]] = {
    "bad-gtin": {"item": {"gtin": "4006381333930"}},
    "unnamed-item": {"item": {}},
    "unknown-unit": {"unit": "PCS"},
    "bad-decimal": {"on_hand": "1e3"},
    "bad-quantity": {"on_hand": "", "available": ""},
    "bad-line": {"status": 77},
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_line_at_fault_is_told_and_stops_no_other(rule: str) -> None:
    good: dict[str, Any] = {"item": {"gtin": GTIN}, "unit": "C62", "on_hand": "5", "available": "2.5"}
    message = message_class("InventoryReport")()
    for fields in (good, good | FAULTS[rule], good):
        message.lines.add(**fields)
    read = read_report(message.SerializeToString(), OWNER)
    assert [(finding.rule, finding.path) for finding in read.findings] == [(rule, "lines[1]")]
    assert len(read.rows) == 2


def test_what_is_below_zero_on_hand_is_refused_from_a_partner() -> None:
    read = read_report(write_report(InventoryReport(as_of=AT), [row(on_hand=-1_000_000)]), OWNER)
    assert [finding.rule for finding in read.findings] == ["bad-quantity"]


def test_bad_supply_is_a_finding() -> None:
    message = message_class("InventoryReport")()
    line = message.lines.add(item={"gtin": GTIN}, unit="C62", on_hand="5")
    line.expected_supply.add(quantity="many")
    assert [finding.rule for finding in read_report(message.SerializeToString(), OWNER).findings] == ["bad-decimal"]


def test_wrong_gtins_are_those_that_are_none() -> None:
    right = [body + check_digit(body) for body in (f"{number * 7919:012d}" for number in range(1, 300))]
    right += [body + check_digit(body) for body in ("1234567", "12345678901", "9999999999999")]
    assert wrong_gtins(right) == []
    for wrong in ("0" * 13, "0" * 8, "", "123", "40063813339310", "4006381333930", "400638133393x", "٤" * 13, "1" * 20):
        assert not is_gtin(wrong)
        assert wrong_gtins([*right, wrong, right[0]]) == [len(right)]


def test_own_rows_tell_what_is_wrong_with_each_line() -> None:
    columns = {"item.gtin": [GTIN, "1"], "on_hand": ["5", "6"], "unit": ["C62", "C62"]}
    rows, faults = own_rows(columns, 2, OWNER, 7)
    assert [one.gtin for one in rows] == [GTIN]
    assert [(place, rule) for place, rule, _ in faults] == [(1, "bad-gtin")]


def own(**columns: str | None) -> tuple[list[StockRow], list[tuple[int, str, str]]]:
    """One line of our own as an adapter tells it; two underscores stand for what a path has between its names."""
    given = {"item__seller_number": "A-1", "on_hand": "12", **columns}
    return own_rows({name.replace("__", "."): [value] for name, value in given.items()}, 1, OWNER, 1)


def lot(number: int, day: str, quantity: str | None = None) -> dict[str, str | None]:
    return {f"trace[{number}]__best_before_on": day, f"trace[{number}]__quantity__value": quantity}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (lot(0, "2030-05-20"), '[[12000000, "2030-05-20", "lot"]]'),
        (lot(0, "2030-05-20", "5"), '[[5000000, "2030-05-20", "lot"]]'),
        (
            {**lot(0, "2030-05-20", "8"), **lot(1, "2030-09-01", "4")},
            '[[8000000, "2030-05-20", "lot"], [4000000, "2030-09-01", "lot"]]',
        ),
        ({"trace[0]__expires_on": "2030-05-20", "available": "3"}, '[[12000000, "2030-05-20", "lot"]]'),
        (lot(0, "", "5"), ""),
        (lot(0, "2030-05-20", "0"), ""),
        ({"trace[0]__lot": "L1"}, ""),
    ],
)
def test_our_own_lots_are_kept_with_the_figure(columns: dict[str, str | None], expected: str) -> None:
    (found,), faults = own(**columns)
    assert (found.expected, faults) == (expected, [])
    assert found.on_hand == 12_000_000


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        (lot(0, "2030-02-31"), "bad-date"),
        (lot(0, "20.05.2030"), "bad-date"),
        (lot(0, "2030-05-20", "1e3"), "bad-decimal"),
        (lot(0, "2030-05-20", "-1"), "bad-quantity"),
        ({**lot(0, "2030-05-20", "8"), **lot(1, "2030-09-01", "5")}, "trace-exceeds"),
    ],
)
def test_lots_of_our_own_that_make_no_sense_keep_their_line_back(columns: dict[str, str | None], rule: str) -> None:
    rows, faults = own(**columns)
    assert rows == []
    assert [fault[:2] for fault in faults] == [(0, rule)]


US, THIRD = "gb:01234", "gb:09999"


def owned(*owners: str, pool: str = "") -> bytes:
    message = message_class("InventoryReport")()
    for owner in owners:
        message.lines.add(item={"gtin": GTIN}, unit="C62", on_hand="5", owner=owner, pool=pool)
    return bytes(message.SerializeToString())


def test_a_third_companys_goods_are_no_supply_of_a_partners() -> None:
    read = read_report(owned("", OWNER, THIRD, US), OWNER, US)
    # What is ours there lies apart from what is the partner's; the third company's goods count nowhere.
    assert [(one.partner_id, one.pool) for one in read.rows] == [(OWNER, ""), (OWNER, ""), (OWNER, US)]
    assert read.findings == []
    assert [one.pool for one in read_report(owned(US, pool="P"), OWNER, US).rows] == ["P"]
    assert read_report(owned(THIRD, pool="P"), OWNER, US).rows == []


def test_a_line_at_fault_keeps_its_place_beside_a_third_companys() -> None:
    message = message_class("InventoryReport")()
    message.lines.add(item={"gtin": GTIN}, unit="C62", on_hand="5", owner=THIRD)
    message.lines.add(item={"gtin": GTIN}, unit="PCS", on_hand="5")
    read = read_report(message.SerializeToString(), OWNER, US)
    assert (read.rows, [one.path for one in read.findings]) == ([], ["lines[1]"])


def test_in_our_own_report_goods_of_others_are_set_aside_for_them() -> None:
    read = read_report(owned("", US, THIRD), US, US)
    assert [one.pool for one in read.rows] == ["", "", THIRD]
