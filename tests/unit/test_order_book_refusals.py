"""Scenarios of an order in the supplier's book: what is refused, remarked, repeated, or undone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from node.core.document import Document
from node.core.document.common import (
    DocumentKey,
    ItemRef,
    Reference,
    ReferenceKind,
)
from node.core.document.fulfilment import (
    DespatchAdvice,
    DespatchLine,
)
from node.core.document.invoice import InvoiceLine
from node.core.document.order import (
    OrderCancellation,
    OrderChange,
    OrderLine,
    OrderResponseLine,
)
from node.core.order_book import (
    Effects,
    OrderKey,
    keys_needed,
    merge,
    undo,
)
from node.core.tolerance import Tolerances
from tests.unit import order_scenes
from tests.unit.order_scenes import KEY, PO, SHOP, SUPPLIER, Supplier, despatch, header, invoice, order, qty, response

supplier = order_scenes.supplier


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (response(order=DocumentKey(issuer=SHOP, number="PO-9")), "unknown-order"),
        (response(order=DocumentKey(issuer=SHOP, number="PO-1", series="2025")), "unknown-order"),
        (response(order=DocumentKey(issuer=SHOP, number="PO-1", revision=7)), "unknown-revision"),
        (response(lines=(OrderResponseLine(line_id="9"),)), "unknown-line"),
        (response(answers=DocumentKey(issuer=SHOP, type="OrderChange", number="C-9")), "unknown-request"),
        (OrderCancellation(header=header(SHOP, "X"), order=PO, line_ids=("9",)), "unknown-line"),
        (OrderCancellation(header=header(SUPPLIER, "X"), order=PO), "wrong-role"),
        (OrderChange(header=header(SHOP, "C"), order=PO, order_revision=3), "unknown-revision"),
        (OrderChange(header=header(SHOP, "C"), order=PO, currency="USD"), "other-currency"),
        (OrderChange(header=header(SHOP, "C"), order=None), "unknown-order"),
        (
            OrderChange(header=header(SHOP, "C"), order=PO, lines=(OrderLine(line_id="1", quantity=qty(1, "KGM")),)),
            "unlike-units",
        ),
    ],
)
def test_what_the_partner_must_change_is_refused(supplier: Supplier, document: Document, rule: str) -> None:
    before = (dict(supplier.state.lines), list(supplier.state.events), supplier.state.order)
    effects = supplier.takes(document)
    assert effects.refuse
    assert effects.findings[0].rule == rule
    assert (dict(supplier.state.lines), list(supplier.state.events), supplier.state.order) == before


def test_the_wrong_party_cannot_despatch(supplier: Supplier) -> None:
    advice = DespatchAdvice(
        header=header(SHOP, "D-1"),
        order=PO,
        lines=(DespatchLine(line_id="1", order_line_id="1", quantity=qty(1)),),
    )
    assert supplier.takes(advice).findings[0].rule == "wrong-role"


def test_an_invoice_without_an_order_has_no_effect_and_is_no_fault(supplier: Supplier) -> None:
    line = InvoiceLine(line_id="1", item=ItemRef(description="Consulting"), quantity=qty(3))
    effects = supplier.takes(invoice(order=None, lines=(line,)))
    assert (effects.events, effects.findings, effects.refuse) == ([], [], False)


def test_more_than_ordered_is_taken_and_remarked(supplier: Supplier) -> None:
    assert [f.rule for f in supplier.takes(despatch(quantity=11)).findings] == ["over-despatched"]
    assert [f.rule for f in supplier.takes(invoice(quantity=12)).findings] == ["over-invoiced"]
    line = supplier.line()
    assert (line.ordered, line.despatched, line.open) == (10, 11, 0)
    assert "more was despatched than is ordered" in line.remarks
    tolerant = Supplier(Tolerances(quantity_over=Decimal(10)))
    tolerant.takes(order())
    assert tolerant.takes(despatch(quantity=11)).findings == []
    assert [f.rule for f in tolerant.takes(despatch("D-2", 1)).findings] == ["over-despatched"]


def test_the_same_revision_with_other_values_waits_for_a_human(supplier: Supplier) -> None:
    assert not supplier.takes(order()).hold
    effects = supplier.takes(order(quantities=(11, 4)))
    assert effects.hold
    assert effects.findings[0].rule == "other-content"
    assert supplier.takes(order(revision=1, quantities=(11, 4))).updated_orders
    assert supplier.takes(order()).findings[0].rule == "old-revision"


def test_a_replay_has_no_effect(supplier: Supplier) -> None:
    supplier.takes(despatch(), document_id=500)
    effects = supplier.takes(despatch(), document_id=500)
    assert effects == Effects()
    assert supplier.line().despatched == 6


def test_an_order_and_what_follows_in_one_batch_are_one_write() -> None:
    supplier = Supplier()
    batch = [
        supplier.takes(order()),
        supplier.takes(response()),
        supplier.takes(response("R-9", order=DocumentKey(issuer=SHOP, number="PO-9"))),
        supplier.takes(order(revision=1, quantities=(3,))),
    ]
    merged = merge(batch)
    assert [row.revision for row in merged.new_orders] == [1]
    assert merged.updated_orders == []
    assert {line.line_id: line.quantity for line in merged.new_lines} == {"1": 3_000_000, "2": 0}
    assert merged.changed_lines == []
    assert [event.standing for event in merged.events] == [0, 0]
    assert [finding.rule for finding in merged.findings] == ["unknown-order"]


def test_keys_needed_names_every_order_once() -> None:
    named = DespatchAdvice(
        header=header(SUPPLIER, "D", references=(Reference(kind=ReferenceKind.ORDER, document=PO),)),
        lines=(
            DespatchLine(line_id="1", order=DocumentKey(number="PO-2")),
            DespatchLine(line_id="2", order=DocumentKey(issuer=SHOP, number="PO-3", series="26", revision=4)),
        ),
    )
    assert keys_needed([order(), named], sender=SUPPLIER, receiver=SHOP) == {
        KEY,
        OrderKey(SHOP, "", "PO-2", "", "TEST"),
        OrderKey(SUPPLIER, "", "PO-2", "", "TEST"),
        OrderKey(SHOP, "", "PO-3", "26", "TEST"),
    }


def test_a_refusal_by_the_partner_undoes_our_document(supplier: Supplier) -> None:
    supplier.takes(despatch(), document_id=500)
    undo(despatch(), document_id=500, at=1, reason="no such line", book=supplier.book)
    assert supplier.line().despatched == 0
    shop = Supplier()
    shop.takes(order(), document_id=7)
    undo(order(), document_id=7, at=1, reason="expired", book=shop.book)
    assert shop.view.status == "rejected"
    assert shop.line().pieces[0].reason == "expired"
