"""Faults that a review found: submitting, and handing over to our own systems. Each failed before the repair."""

from __future__ import annotations

from datetime import timedelta

import pytest

from node import wire
from node.app.links import partners, retention
from node.app.systems import erp
from node.config import (
    AdapterSettings,
    RetentionSettings,
)
from node.core.document.common import (
    PersonalData,
    PersonalEntry,
)
from node.errors import AdapterError
from tests.companies import Company, connect
from tests.integration import exchange_pair
from tests.integration.exchange_pair import (
    PIECE,
    TAKEN,
    Erp,
    cancellation,
    give,
    handed,
    order,
    push,
    rows,
    settings,
    states,
)

buyer, seller, linked = exchange_pair.buyer, exchange_pair.seller, exchange_pair.linked


# --- hand-over --------------------------------------------------------------------------------------------------------


def test_nothing_overtakes_an_earlier_document_of_the_same_order(buyer: Company, seller: Company) -> None:
    for number in ("PO-1", "PO-2"):
        give(buyer, seller, order(buyer, seller, number))
        give(buyer, seller, cancellation(buyer, number))
    connect(buyer, seller)
    system = Erp()
    system.refuses["PO-1"] = AdapterError("the ERP is down")
    push(seller, system)
    assert system.posted == ["Order PO-2", "OrderCancellation PO-2-X"]
    push(seller, system)  # nothing is due
    assert len(system.posted) == 2

    system.refuses["PO-1"] = AdapterError("no such customer", permanent=True)
    seller.clock.move(seconds=60)
    push(seller, system)
    seller.clock.move(days=1)
    push(seller, system)
    assert len(system.posted) == 2

    system.refuses.clear()
    seller.do(erp.retry, handed(seller)[0].document_id)
    push(seller, system)
    assert system.posted[2:] == ["Order PO-1", "OrderCancellation PO-1-X"]


def test_a_failed_hand_over_can_be_given_up(buyer: Company, seller: Company) -> None:
    give(buyer, seller, order(buyer, seller, "PO-1"))
    give(buyer, seller, cancellation(buyer, "PO-1"))
    connect(buyer, seller)
    system = Erp()
    system.refuses["PO-1"] = AdapterError("no such customer", permanent=True)
    push(seller, system)
    seller.do(erp.give_up, handed(seller)[0].document_id, "keyed in by hand")
    push(seller, system)
    assert system.posted == ["OrderCancellation PO-1-X"]
    connect(seller, buyer)
    told = [wire.decode_document(row.type, row.body or b"") for row in rows(buyer, "in", "ApplicationResponse")]
    assert next(getattr(one, "outcome", "") for one in told) == "REFUSED"


def test_an_adapter_with_a_bug_does_not_block_what_it_can_post(buyer: Company, seller: Company) -> None:
    for number in ("PO-1", "PO-2"):
        give(buyer, seller, order(buyer, seller, number))
    connect(buyer, seller)
    system = Erp()
    system.refuses["PO-1"] = KeyError("customer")
    push(seller, system)
    assert system.posted == ["Order PO-2"]
    assert handed(seller)[0].attempts == 1
    assert "KeyError" in handed(seller)[0].error


def test_a_system_that_is_away_does_not_starve_the_one_for_the_other_usage(
    buyer: Company, seller: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erp, "PUSHED_AT_ONCE", 2)
    live = AdapterSettings(name="live", kind="jsonl", documents=TAKEN)
    settings(seller, adapters=(*seller.ctx.settings.adapters, live))
    for number in ("PO-1", "PO-2", "PO-3"):
        give(buyer, seller, order(buyer, seller, number))
    connect(buyer, seller)
    for one, other in ((buyer, seller), (seller, buyer)):
        one.do(partners.go_live, other.id)
    connect(buyer, seller)
    give(buyer, seller, order(buyer, seller, "PO-4"))
    connect(buyer, seller)
    system = Erp()
    erp.push_due(seller.store, seller.ctx, live, system)
    assert system.posted == ["Order PO-4"]


def test_a_system_that_is_away_does_not_wear_out_what_waits(buyer: Company, seller: Company) -> None:
    for number in range(9):
        give(buyer, seller, order(buyer, seller, f"PO-{number}"))
    connect(buyer, seller)
    system = Erp()
    system.refuses = {f"PO-{number}": AdapterError("closed for the night") for number in range(9)}
    push(seller, system)
    assert sum(row.attempts for row in handed(seller)) == 3
    system.refuses.clear()
    assert push(seller, system) == 6
    seller.clock.move(hours=1)
    assert push(seller, system) == 3


def test_nothing_is_erased_before_our_own_system_has_it(buyer: Company, seller: Company) -> None:
    settings(seller, retention=RetentionSettings(days={"Order": 30}, personal_days=10))
    personal = PersonalData(entries=(PersonalEntry(name="Erika Mustermann"),))
    give(buyer, seller, order(buyer, seller, "PO-1"), personal)
    connect(buyer, seller)
    seller.clock.move(days=40)
    retention.run(seller.store, seller.ctx)
    system = Erp()
    push(seller, system)
    assert system.posted == ["Order PO-1"]
    assert system.fields[0]["personal"]["entries"][0]["name"] == "Erika Mustermann"
    assert retention.run(seller.store, seller.ctx).documents == 1


# --- submitting -------------------------------------------------------------------------------------------------------


def test_a_change_back_is_a_change(buyer: Company, seller: Company) -> None:
    for quantity in (10, 12, 10):
        assert give(buyer, seller, order(buyer, seller, "PO-1", quantity)).state == "waiting"
    assert give(buyer, seller, order(buyer, seller, "PO-1", 10)).state == "duplicate"
    connect(buyer, seller)
    ordered = seller.read(lambda tx: tx.orders.lines([tx.orders.search(number="PO-1")[0].order_id]))
    assert [line.quantity for line in ordered] == [10 * PIECE]


def test_a_consumer_s_new_address_is_a_change(buyer: Company, seller: Company) -> None:
    at_home = PersonalData(entries=(PersonalEntry(name="Erika Mustermann"),))
    moved = PersonalData(entries=(PersonalEntry(name="Erika Musterfrau"),))
    assert give(buyer, seller, order(buyer, seller, "PO-1"), at_home).state == "waiting"
    assert give(buyer, seller, order(buyer, seller, "PO-1"), at_home).state == "duplicate"
    assert give(buyer, seller, order(buyer, seller, "PO-1"), moved).state == "waiting"
    connect(buyer, seller)
    assert states(seller, "in") == ["taken", "taken"]


def test_the_partner_s_reason_for_a_refusal_is_told_with_the_order(buyer: Company, seller: Company) -> None:
    buyer.clock.move(seconds=-10)
    until = buyer.ctx.now() + timedelta(seconds=5)
    give(buyer, seller, order(buyer, seller, "PO-1", valid_until=until))
    connect(buyer, seller)
    found = buyer.read(lambda tx: tx.orders.events([tx.orders.search(number="PO-1")[0].order_id]))
    assert [event.event for event in found] == ["rejected"]
    assert any("valid" in str(part) for part in found[0])
