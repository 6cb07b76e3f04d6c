"""What a person sees of an order: words derived from quantities, pieces filled in order, what is late, who is due."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from node.core.order_view import LineView, OrderView, view
from node.core.rows import LineEventRow, OrderLineRow, OrderRow

NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)
ONE = 1_000_000


def order_row(kind: str = "STANDARD") -> OrderRow:
    return OrderRow(
        1, "0088:4012345000009", "seller", "0088:4012345000009", "", "PO-1", "", 0, kind, "EUR", "TEST", 5, "WEB-7",
        "4711", 9,
    )  # fmt: skip


def line_row(quantity: int = 10, line_id: str = "1", unit: str = "C62", on: str | None = "2026-05-20") -> OrderLineRow:
    return OrderLineRow(
        1, line_id, int(line_id), "GOODS", "", "A", "", "Chew toy", quantity * ONE, unit, None, None, on, "", 9
    )


def event(word: str, quantity: int, *, line_id: str = "1", on: str | None = None, **rest: object) -> LineEventRow:
    values = {
        "order_id": 1,
        "line_id": line_id,
        "document_id": 10,
        "schedule_id": "",
        "event": word,
        "quantity": quantity * ONE,
        "unit": "C62",
        "on": on,
        "reference": "R-1",
        "detail": "",
        "at": 7,
        "standing": 1,
    }
    return LineEventRow(**(values | rest))  # type: ignore[arg-type]


def seen(*events: LineEventRow, lines: tuple[OrderLineRow, ...] = (), kind: str = "STANDARD") -> OrderView:
    return view(order_row(kind), lines or (line_row(),), events, NOW)


def one(*events: LineEventRow, quantity: int = 10, on: str | None = "2026-05-20") -> LineView:
    return seen(*events, lines=(line_row(quantity, on=on),)).lines[0]


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "ordered"),
        ([("accepted", 4)], "partly_accepted"),
        ([("accepted", 10)], "accepted"),
        ([("accepted", 6), ("back_ordered", 4)], "back_ordered"),
        ([("rejected", 10)], "rejected"),
        ([("cancelled", 10)], "cancelled"),
        ([("cancelled", 4), ("rejected", 6)], "closed"),
        ([("despatched", 4)], "partly_despatched"),
        ([("despatched", 10)], "despatched"),
        ([("despatched", 4), ("accepted", 4), ("cancelled", 6)], "despatched"),
        ([("despatched", 10), ("received", 4)], "partly_received"),
        ([("despatched", 10), ("received", 9), ("damaged", 1)], "received"),
        ([("despatched", 10), ("delivered", 10)], "delivered"),
        ([("despatched", 10), ("delivered", 10), ("received", 4)], "delivered"),
        ([("despatched", 10), ("delivered", 10), ("received", 10)], "received"),
        ([("despatched", 10), ("delivered", 4)], "partly_delivered"),
    ],
)
def test_a_status_is_derived_from_quantities(events: list[tuple[str, int]], status: str) -> None:
    assert one(*(event(word, quantity) for word, quantity in events)).status == status


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (("despatched", 10), ("despatched", 10), "despatched"),
        (("rejected", 10), ("received", 10), "completed"),
        (("accepted", 10), ("despatched", 3), "partly_despatched"),
        (("accepted", 10), None, "partly_accepted"),
        (("received", 10), ("despatched", 10), "partly_received"),
        (("delivered", 10), ("despatched", 10), "partly_delivered"),
        (("delivered", 10), ("received", 4), "partly_received"),
        (("delivered", 10), ("received", 10), "completed"),
    ],
)
def test_the_orders_status(first: tuple[str, int], second: tuple[str, int] | None, status: str) -> None:
    events = [event(*first)] + ([event(*second, line_id="2")] if second else [])
    assert seen(*events, lines=(line_row(), line_row(line_id="2"))).status == status


def test_pieces_are_filled_by_date_and_are_late_one_by_one() -> None:
    line = one(
        event("back_ordered", 4, on="2026-05-25"),
        event("accepted", 6, on="2026-05-08"),
        event("despatched", 5, detail="1Z1 1Z2"),
    )
    assert [(p.promised_on, int(p.quantity), int(p.despatched), int(p.open), p.late) for p in line.pieces] == [
        ("2026-05-08", 6, 5, 1, True),
        ("2026-05-25", 4, 0, 4, False),
    ]
    assert line.late
    assert line.tracking == ("1Z1", "1Z2")


def test_what_was_delivered_is_not_told_as_received() -> None:
    told = seen(event("accepted", 10), event("despatched", 10), event("delivered", 10))
    (line,) = told.lines
    (piece,) = line.pieces
    assert [line.delivered, line.received] == [piece.delivered, piece.received] == [Decimal(10), Decimal(0)]
    assert [one.delivered for one in told.totals] == [10]


def test_an_unanswered_line_is_late_once_its_day_has_passed() -> None:
    assert not one(on="2026-05-10").late
    assert one(on="2026-05-09").late
    assert not one(on=None).late
    assert not one(event("despatched", 10), on="2026-05-09").late


def test_more_than_ordered_never_tips_the_balance() -> None:
    line = one(event("accepted", 12), event("rejected", 3), event("despatched", 14), event("invoiced", 15))
    assert [line.accepted, line.rejected, line.unanswered, line.open] == [10, 0, 0, 0]
    assert [line.despatched, line.invoiced] == [14, 15]
    assert line.remarks == (
        "more was answered than is ordered",
        "more was despatched than is ordered",
        "more is invoiced than was despatched",
    )


def test_what_no_longer_stands_is_only_history() -> None:
    line = one(event("accepted", 10, standing=0), event("rejected", 10, reference="R-2"))
    assert [line.accepted, line.rejected] == [0, 10]
    assert [(e.reference, e.standing) for e in line.history] == [("R-1", False), ("R-2", True)]


def test_unlike_units_are_never_summed() -> None:
    totals = seen(lines=(line_row(), line_row(3, "2", "KGM"), line_row(2, "3"))).totals
    assert [(total.unit, int(total.ordered)) for total in totals] == [("C62", 12), ("KGM", 3)]


def test_it_says_whose_answer_is_due() -> None:
    assert seen().waits_for == "seller"
    assert seen(event("accepted", 10)).waits_for == ""
    asked = event("cancel_requested", 0, detail=json.dumps({"revision": 0, "reason": "shop closes"}))
    waiting = seen(event("accepted", 10), asked)
    assert (waiting.waits_for, waiting.lines[0].cancel_requested) == ("seller", True)
    assert waiting.lines[0].history[-1].detail == "shop closes"
    assert [e.by for e in waiting.lines[0].history] == ["seller", "buyer"]


def test_in_a_return_order_the_goods_go_the_other_way() -> None:
    line = seen(event("accepted", 10), event("despatched", 10), event("received", 10), kind="RETURN").lines[0]
    assert [e.by for e in line.history] == ["seller", "buyer", "seller"]


def test_it_is_json() -> None:
    fields = seen(event("accepted", 4)).as_fields()
    assert json.loads(json.dumps(fields)) == fields
    assert fields["number"] == "PO-1"
    assert fields["customer_order"] == "WEB-7"
    assert fields["lines"][0]["unanswered"] == "6"
    assert fields["lines"][0]["pieces"][0]["outcome"] == "accepted"


def test_our_own_site_has_nothing_to_answer_but_what_is_asked_of_it() -> None:
    assert seen().waits_for == "seller"
    assert view(order_row(), [line_row()], [], NOW, internal=True).waits_for == ""
    asked = event("cancel_requested", 0)
    assert view(order_row(), [line_row()], [asked], NOW, internal=True).waits_for == "seller"
