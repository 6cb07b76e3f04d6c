"""Scenarios of an order in the supplier's book: answered, changed, cancelled, and revised."""

from __future__ import annotations

from datetime import date

import pytest

from node.core.document.common import (
    DocumentKey,
    Reason,
    Reference,
    ReferenceKind,
)
from node.core.document.order import (
    Order,
    OrderCancellation,
    OrderKind,
    OrderResponseLine,
    ResponseOutcome,
    ScheduleOutcome,
)
from node.core.order_book import (
    completed,
    submit_findings,
)
from tests.unit import order_scenes
from tests.unit.order_scenes import PO, SHOP, Supplier, change, despatch, header, order, piece, response

supplier = order_scenes.supplier


def test_an_order_becomes_rows() -> None:
    supplier = Supplier()
    effects = supplier.takes(
        Order(
            header=header(
                SHOP,
                "PO-1",
                references=(Reference(kind=ReferenceKind.CUSTOMER_ORDER, document=DocumentKey(number="WEB-7")),),
            ),
            order_kind=OrderKind.DROP_SHIP,
            currency="EUR",
            lines=order().lines,
        )
    )
    (row,) = effects.new_orders
    assert (row.role, row.kind, row.number, row.customer_order) == ("seller", "DROP_SHIP", "PO-1", "WEB-7")
    first = effects.new_lines[0]
    assert (first.quantity, first.price, first.price_base, first.requested_on) == (
        10_000_000,
        2_500_000,
        1_000_000,
        "2026-05-04",
    )
    assert effects.events == []
    assert supplier.view.status == "ordered"


def test_six_now_four_in_may_two_rejected() -> None:
    supplier = Supplier()
    supplier.takes(order(quantities=(12,)))
    pieces = (
        piece(6, ScheduleOutcome.ACCEPTED, date(2026, 5, 2)),
        piece(4, ScheduleOutcome.BACK_ORDERED, date(2026, 5, 20)),
        piece(2, ScheduleOutcome.REJECTED, reason="discontinued"),
    )
    supplier.takes(response(outcome=ResponseOutcome.CHANGED, lines=(OrderResponseLine(line_id="1", schedule=pieces),)))
    line = supplier.line()
    assert (line.accepted, line.back_ordered, line.rejected, line.unanswered) == (6, 4, 2, 0)
    assert [(p.outcome, p.promised_on) for p in line.pieces] == [
        ("accepted", "2026-05-02"),
        ("back_ordered", "2026-05-20"),
        ("rejected", None),
    ]
    assert line.pieces[2].reason == "discontinued"
    assert line.status == "back_ordered"


@pytest.mark.parametrize(
    ("outcome", "status"), [(ResponseOutcome.ACCEPTED, "accepted"), (ResponseOutcome.REJECTED, "rejected")]
)
def test_a_response_without_lines_speaks_for_all(supplier: Supplier, outcome: ResponseOutcome, status: str) -> None:
    supplier.takes(response(outcome=outcome, seller_order_number="4711"))
    assert [line.status for line in supplier.view.lines] == [status, status]
    assert supplier.view.status == status
    assert supplier.view.seller_order_number == "4711"


def test_a_later_answer_replaces_only_the_lines_it_names(supplier: Supplier) -> None:
    supplier.takes(response())
    rejected = OrderResponseLine(line_id="2", schedule=(piece(4, ScheduleOutcome.REJECTED),))
    effects = supplier.takes(response("R-2", ResponseOutcome.CHANGED, lines=(rejected,)))
    assert supplier.line("1").accepted == 10
    assert (supplier.line("2").accepted, supplier.line("2").rejected) == (0, 4)
    # The first response is superseded whole, and what still stands of it is stated again.
    assert len(effects.supersede) == 1
    assert sorted((e.line_id, e.event, e.reference) for e in effects.events) == [
        ("1", "accepted", "R-1"),
        ("2", "rejected", "R-2"),
    ]


def test_a_change_takes_effect_when_the_seller_agrees(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(change(12))
    line = supplier.line()
    assert (line.ordered, line.change_requested, line.accepted) == (10, 12, 10)
    assert supplier.view.waits_for == "seller"
    key = DocumentKey(issuer=SHOP, type="OrderChange", number="C-1")
    supplier.takes(response("R-2", answers=key))
    line = supplier.line()
    assert (line.ordered, line.change_requested, line.accepted) == (12, None, 12)
    assert supplier.line("2").accepted == 4


def test_a_refused_change_leaves_the_order_as_it_was(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(change(12))
    key = DocumentKey(issuer=SHOP, type="OrderChange", number="C-1")
    supplier.takes(response("R-2", ResponseOutcome.REJECTED, answers=key, reason=Reason(text="too late")))
    line = supplier.line()
    assert (line.ordered, line.change_requested, line.accepted, line.rejected) == (10, None, 10, 0)
    assert "C-1 is not agreed to: too late" in [event.detail for event in line.history]


def test_a_change_may_add_and_take_away_lines(supplier: Supplier) -> None:
    supplier.takes(change(5, line_id="3"))
    supplier.takes(change(0, "C-2", line_id="2"))
    assert supplier.line("3").ordered == 0
    for number in ("C-1", "C-2"):
        supplier.takes(response(f"R-{number}", answers=DocumentKey(issuer=SHOP, type="OrderChange", number=number)))
    assert (supplier.line("3").ordered, supplier.line("3").accepted) == (5, 5)
    assert supplier.line("2").status == "removed"


def test_a_later_revision_of_a_change_replaces_it(supplier: Supplier) -> None:
    supplier.takes(change(12))
    supplier.takes(change(14, revision=1))
    assert supplier.line().change_requested == 14
    supplier.takes(response(answers=DocumentKey(issuer=SHOP, type="OrderChange", number="C-1", revision=1)))
    assert supplier.line().ordered == 14


def test_a_cancellation_that_crosses_a_despatch_keeps_what_was_sent(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(despatch(quantity=6))
    supplier.takes(OrderCancellation(header=header(SHOP, "X-1"), order=PO, reason=Reason(text="shop closes")))
    assert supplier.line().cancel_requested
    supplier.takes(response("R-2", answers=DocumentKey(issuer=SHOP, type="OrderCancellation", number="X-1")))
    line = supplier.line()
    assert (line.accepted, line.cancelled, line.despatched, line.open) == (6, 4, 6, 0)
    assert not line.cancel_requested
    assert supplier.line("2").status == "cancelled"


def test_a_refused_cancellation_changes_nothing(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(OrderCancellation(header=header(SHOP, "X-1"), order=PO, line_ids=("2",)))
    key = DocumentKey(issuer=SHOP, type="OrderCancellation", number="X-1")
    supplier.takes(response("R-2", ResponseOutcome.REJECTED, answers=key))
    assert (supplier.line("2").accepted, supplier.line("2").cancel_requested) == (4, False)


def test_a_new_revision_needs_a_new_answer(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(order(revision=1, quantities=(8,)))
    assert (supplier.line("1").ordered, supplier.line("1").unanswered) == (8, 8)
    assert supplier.line("2").status == "removed"
    # An answer that crossed it is kept, but does not stand.
    effects = supplier.takes(response("R-2"))
    assert [finding.rule for finding in effects.findings] == ["old-revision"]
    assert not effects.refuse
    assert supplier.line("1").unanswered == 8
    # At home it is not even submitted, and the node fills in what the ERP does not say.
    assert submit_findings(response("R-3"), supplier.book)[0].rule == "old-revision"
    filled = completed(response("R-3"), supplier.book, buyer=SHOP)
    assert submit_findings(filled, supplier.book) == []
    supplier.takes(filled)
    assert supplier.line("1").accepted == 8
