"""Notices of disruption between companies: taken, counted, passed on without names, and ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.documents.submit import Submission, submit
from node.app.stock import disruptions
from node.core.document.common import DocumentHeader, ItemRef, LocationRef, Period, Reason
from node.core.document.disruption import DisruptionKind, DisruptionLine, DisruptionNotice
from node.core.promise_rows import DisruptionRow
from node.core.quantity import Quantity
from node.errors import RefusedError
from node.store.database import Database
from tests.companies import Company, connect, deliver, swap
from tests.integration.test_performance import Kept, send
from tests.integration.test_promising import figure, own_stock, promised, told

TODAY = date(2026, 5, 4)
GTIN = "04012345000016"
FIVE = {"value": "5", "unit": "C62"}


@pytest.fixture
def chain(tmp_path: Path, store: Database) -> tuple[Company, Company, Company]:
    """Maker, trader (whose store is on the engine of the test) and shop; maker and shop do not know each other."""
    maker, trader, shop = (
        Company(tmp_path / "m", "Maker"),
        Kept(tmp_path / "t", "Trader", store),
        Company(tmp_path / "s", "Shop"),
    )
    for one, other in ((maker, trader), (trader, shop)):
        swap(one, other)
        connect(one, other)
    return maker, trader, shop


def notice(number: str, kind: DisruptionKind = DisruptionKind.DELAY, **line: Any) -> DisruptionNotice:
    given: dict[str, Any] = {"line_id": "1", "item": ItemRef(gtin=GTIN), "days_late": 7}
    return DisruptionNotice(
        header=DocumentHeader(number=number),
        kind=kind,
        period=Period(start_on=TODAY, end_on=date(2026, 5, 20)),
        reason=Reason(text="Fire at Maker's plant in Hagen", language="en"),
        lines=(DisruptionLine(**(given | line)),),
    )


def order(number: str) -> Any:
    line = {"line_id": "1", "item": {"gtin": GTIN}, "quantity": {"value": "5", "unit": "C62"}}
    return wire.from_fields("Order", {"header": {"number": number}, "lines": [line]})


def in_force(company: Company) -> list[DisruptionRow]:
    return company.read(lambda tx: tx.disruptions.search(state="in_force", limit=100))


def test_a_notice_is_passed_on_without_naming_anybody(chain: tuple[Company, Company, Company]) -> None:
    maker, trader, shop = chain
    send(shop, trader, order("P1"))
    maker.do(disruptions.send, notice("N1", location=LocationRef(code="HAGEN-2")), [trader.id])
    connect(maker, trader)
    connect(trader, shop)
    assert [(row.partner_id, row.location, row.days_late) for row in in_force(trader)] == [(maker.id, "HAGEN-2", 7)]
    heard = in_force(shop)
    assert [(row.partner_id, row.order_number, row.days_late) for row in heard] == [(trader.id, "P1", 7)]
    stored = shop.read(lambda tx: tx.documents.search(type="DisruptionNotice", limit=10))
    body = str(wire.to_fields(wire.decode_document("DisruptionNotice", stored[0].body or b"")))
    for secret in ("Maker", "HAGEN", "Hagen", "Fire", maker.id):
        assert secret not in body
    assert heard[0].hops_left == in_force(trader)[0].hops_left - 1
    # Nobody who is not concerned hears of it, and the end goes the same way.
    assert maker.do(disruptions.end, "N1") == [trader.id]
    connect(maker, trader)
    connect(trader, shop)
    assert (in_force(maker), in_force(trader), in_force(shop)) == ([], [], [])


def test_who_has_nothing_open_is_not_told(chain: tuple[Company, Company, Company]) -> None:
    maker, trader, shop = chain
    maker.do(disruptions.send, notice("N1"), [trader.id])
    connect(maker, trader)
    connect(trader, shop)
    assert len(in_force(trader)) == 1
    assert in_force(shop) == []


def test_a_notice_without_hops_left_goes_no_further(chain: tuple[Company, Company, Company]) -> None:
    maker, trader, shop = chain
    send(shop, trader, order("P1"))
    maker.do(submit, trader.id, [Submission(notice("N1"))])
    deliver(maker, trader)
    connect(trader, shop)
    assert len(in_force(trader)) == 1
    assert in_force(shop) == []


def test_a_correction_replaces_what_was_said(chain: tuple[Company, Company, Company]) -> None:
    maker, trader, shop = chain
    send(shop, trader, order("P1"))
    for days in (7, 21):
        maker.do(disruptions.send, notice("N1", days_late=days), [trader.id])
        connect(maker, trader)
        connect(trader, shop)
    assert [(row.days_late, row.revision) for row in in_force(trader)] == [(21, 1)]
    assert [row.days_late for row in in_force(shop)] == [21]


def test_a_shortage_cuts_what_is_promised_and_our_own_closure_too(chain: tuple[Company, Company, Company]) -> None:
    maker, trader, _ = chain
    told(trader, maker, figure("", f"gtin:{GTIN}", "W", 30, gtin=GTIN))
    own_stock(trader, figure("", f"gtin:{GTIN}", "DC", 4, gtin=GTIN, number="A"))
    assert promised(trader, GTIN, 100).promise.by_then == 34
    short = notice("N1", DisruptionKind.SHORTAGE, quantity_left=Quantity(Decimal(8), "C62"), days_late=0)
    maker.do(disruptions.send, short, [trader.id])
    connect(maker, trader)
    assert promised(trader, GTIN, 100).promise.by_then == 12
    trader.do(
        disruptions.send, notice("OURS", DisruptionKind.CLOSURE, location=LocationRef(code="DC"), days_late=0), []
    )
    assert promised(trader, GTIN, 100).promise.by_then == 8
    trader.do(disruptions.end, "OURS")
    assert promised(trader, GTIN, 100).promise.by_then == 12
    trader.clock.move(days=30)
    assert trader.do(disruptions.end_past) == 1
    assert in_force(trader) == []


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"kind": "DELAY", "lines": [{"line_id": "1"}]}, "days-late"),
        ({"kind": "DELAY", "lines": [{"line_id": "1", "days_late": 9999}]}, "days-late"),
        ({"kind": "CLOSURE", "lines": []}, "no-lines"),
        ({"lines": [{"line_id": "1"}]}, "disruption-kind"),
        ({"kind": "CLOSURE", "lines": [{"line_id": "1"}], "period": {}}, "date-missing"),
        (
            {
                "kind": "CLOSURE",
                "lines": [{"line_id": "1"}],
                "period": {"start_on": "2026-05-04", "end_on": "2026-05-01"},
            },
            "date",
        ),
        (
            {"kind": "SHORTAGE", "lines": [{"line_id": "1", "quantity_left": {"value": "5", "unit": "C62"}}]},
            "item-missing",
        ),
        (
            {
                "kind": "SHORTAGE",
                "lines": [
                    {"line_id": "1", "item": {"gtin": GTIN}, "quantity_left": {"value": "10000000000", "unit": "C62"}}
                ],
            },
            "quantity",
        ),
        ({"kind": "SHORTAGE", "lines": [{"line_id": "1", "item": {"gtin": "4012345000017"}}]}, "gtin"),
        ({"kind": "RECOVERED", "lines": [{"line_id": "1"}]}, "root"),
    ],
)
def test_a_notice_that_is_wrong_is_refused_with_what_was_expected(
    tmp_path: Path, wrong: dict[str, Any], rule: str
) -> None:
    maker, trader = Company(tmp_path / "m", "Maker"), Company(tmp_path / "t", "Trader")
    swap(maker, trader)
    connect(maker, trader)
    fields = {"header": {"number": "N1"}, "period": {"start_on": "2026-05-04"}, **wrong}
    made = maker.do(submit, trader.id, [Submission(wire.from_fields("DisruptionNotice", fields))])[0]
    assert made.state == "refused"
    assert rule in {one.rule for one in made.findings}


def test_a_notice_of_an_unknown_item_changes_nothing_and_is_kept(chain: tuple[Company, Company, Company]) -> None:
    maker, trader, _ = chain
    told(trader, maker, figure("", f"gtin:{GTIN}", "W", 30, gtin=GTIN))
    unknown = notice("N1", DisruptionKind.CLOSURE, item=ItemRef(seller_number="NO-SUCH"), days_late=0)
    nameless = notice("N2", DisruptionKind.CLOSURE, item=ItemRef(description="something"), days_late=0)
    for one in (unknown, nameless):
        maker.do(disruptions.send, one, [trader.id])
    connect(maker, trader)
    assert len(in_force(trader)) == 2
    assert promised(trader, GTIN, 100).promise.by_then == 30
    with pytest.raises(RefusedError):
        trader.do(disruptions.end, "N1")


def test_a_closed_site_is_told_to_those_whom_it_concerns_and_so_is_its_end(
    chain: tuple[Company, Company, Company],
) -> None:
    """The notice names no item: it concerns what we have on order there, and those who wait for that."""
    maker, trader, shop = chain
    send(shop, trader, order("P1"))
    closed = notice("N1", DisruptionKind.CLOSURE, item=None, location=LocationRef(code="HAGEN-2"), days_late=0)
    maker.do(disruptions.send, closed, [trader.id])
    connect(maker, trader)
    connect(trader, shop)
    assert in_force(shop) == []  # nothing of it comes from there
    send(trader, maker, order("T1"))
    maker.do(disruptions.send, replace(closed, header=DocumentHeader(number="N2")), [trader.id])
    connect(maker, trader)
    connect(trader, shop)
    (heard,) = in_force(shop)
    assert (heard.partner_id, heard.kind, heard.order_number, heard.location) == (trader.id, "closure", "P1", "")
    body = str(shop.read(lambda tx: tx.documents.search(type="DisruptionNotice", limit=1))[0].body)
    assert "HAGEN" not in body
    assert maker.id not in body
    # What was on order there has come meanwhile: the end is told all the same.
    line = {"line_id": "1", "order_line_id": "1", "quantity": FIVE}
    gone = {"header": {"number": "D1"}, "order": {"number": "T1"}, "lines": [line]}
    send(maker, trader, wire.from_fields("DespatchAdvice", gone))
    maker.do(disruptions.end, "N2")
    connect(maker, trader)
    connect(trader, shop)
    assert in_force(shop) == []


def test_our_own_closed_site_is_told_to_those_who_have_goods_there(chain: tuple[Company, Company, Company]) -> None:
    maker, trader, shop = chain
    own_stock(trader, figure("", f"gtin:{GTIN}", "DC", 9, gtin=GTIN, number="A"))
    send(shop, trader, order("P1"))
    elsewhere = notice("N1", DisruptionKind.CLOSURE, item=None, location=LocationRef(code="DC2"), days_late=0)
    assert trader.do(disruptions.send, elsewhere, []) == []
    here = notice("N2", DisruptionKind.CLOSURE, item=None, location=LocationRef(code="DC"), days_late=0)
    assert trader.do(disruptions.send, here, []) == [shop.id]
    connect(trader, shop)
    connect(trader, maker)
    assert [(row.partner_id, row.kind) for row in in_force(shop)] == [(trader.id, "closure")]
    assert in_force(maker) == []
