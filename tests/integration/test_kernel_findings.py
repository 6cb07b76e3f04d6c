"""Faults that a review of the exchange found, one test each: it failed before the repair."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Finding, PullBatch
from node import wire
from node.app.documents.submit import Submission, Submitted, submit
from node.app.links import exchange, partners, positions, receiving, retention, sending
from node.app.stock import inventory, ledger, replenishment
from node.app.systems import erp
from node.config import (
    AdapterSettings,
    ReplenishmentRule,
    ReplenishmentSettings,
    RetentionSettings,
    Settings,
    SharingRule,
    SharingSettings,
)
from node.core import link, order_book
from node.core.document import Document
from node.core.document.common import (
    Attachment,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LineKind,
    Party,
    PartyRole,
    Period,
    PersonalData,
    PersonalEntry,
)
from node.core.document.order import Order, OrderCancellation, OrderLine
from node.core.document.replenishment import Forecast, ForecastLine
from node.core.quantity import Quantity
from node.core.rows import DocumentRow, HandoverRow, StockRow
from node.errors import AdapterError, RefusedError
from node.ports import Transaction
from tests.companies import Company, connect, deliver, swap

PIECE = 1_000_000
TAKEN = ("DespatchAdvice", "Order", "OrderCancellation")


class Erp:
    """Posts what it is given, but for the numbers in `refuses` (and how it refuses them)."""

    def __init__(self) -> None:
        self.posted: list[str] = []
        self.fields: list[dict[str, Any]] = []
        self.refuses: dict[str, Exception] = {}

    def check(self) -> list[Finding]:
        return []

    def pull(self, cursor: str | None) -> Iterator[PullBatch]:
        return iter(())

    def preview(self) -> Iterator[PullBatch]:
        return iter(())

    def push(self, document_type: str, fields: dict[str, Any], identity: str) -> str:
        number = fields["header"]["number"]
        if error := self.refuses.get(number):
            raise error
        self.posted.append(f"{document_type} {number}")
        self.fields.append(fields)
        return f"ERP-{len(self.posted)}"

    def accepts(self) -> frozenset[str]:
        return frozenset(TAKEN)

    def forget(self, before: datetime) -> int:
        return 0

    def close(self) -> None:
        pass


@pytest.fixture
def buyer(tmp_path: Path) -> Company:
    return Company(tmp_path, "Toys and More")


@pytest.fixture
def seller(tmp_path: Path) -> Company:
    return Company(tmp_path, "Meyer Spielwaren", "0088:4012345000009")


@pytest.fixture(autouse=True)
def linked(buyer: Company, seller: Company) -> None:
    swap(buyer, seller)
    connect(buyer, seller)
    for company in (buyer, seller):
        settings(company, adapters=(AdapterSettings(name="erp", kind="jsonl", usage="test", documents=TAKEN),))


def settings(company: Company, **changes: Any) -> Settings:
    company.ctx = replace(company.ctx, settings=replace(company.ctx.settings, **changes))
    return company.ctx.settings


def order(buyer: Company, seller: Company, number: str, quantity: int = 1, item: str = "BEAR", **header: Any) -> Order:
    return Order(
        header=DocumentHeader(
            number=number,
            parties=(Party(role=PartyRole.BUYER, id=buyer.id), Party(role=PartyRole.SELLER, id=seller.id)),
            **header,
        ),
        currency="EUR",
        lines=(
            OrderLine(
                line_id="1",
                line_kind=LineKind.GOODS,
                item=ItemRef(seller_number=item),
                quantity=Quantity(Decimal(quantity), "C62"),
            ),
        ),
    )


def cancellation(buyer: Company, number: str) -> OrderCancellation:
    return OrderCancellation(
        header=DocumentHeader(number=f"{number}-X"), order=DocumentKey(issuer=buyer.id, type="Order", number=number)
    )


def give(company: Company, to: Company, document: Document, personal: PersonalData | None = None) -> Submitted:
    return company.do(submit, to.id, [Submission(document, personal)])[0]


def rows(company: Company, direction: str, kind: str = "Order") -> list[DocumentRow]:
    """Documents, oldest first."""
    found = company.read(lambda tx: tx.documents.search(direction=direction, type=kind))
    return sorted(found, key=lambda row: row.document_id)


def states(company: Company, direction: str, kind: str = "Order") -> list[str]:
    return [row.state for row in rows(company, direction, kind)]


def handed(company: Company) -> list[HandoverRow]:
    def found(tx: Transaction) -> list[HandoverRow]:
        arrived = tx.documents.search(direction="in", limit=500)
        return [row for one in reversed(arrived) if (row := tx.handovers.get(one.document_id)) is not None]

    return company.store.read(found)


def push(company: Company, system: Erp) -> int:
    return erp.push_due(company.store, company.ctx, company.ctx.settings.adapters[0], system)


def failing(monkeypatch: pytest.MonkeyPatch, *numbers: str) -> set[str]:
    """A bug that the receiver meets with these documents; returns the set, to be emptied once it is mended."""
    broken, apply = set(numbers), order_book.apply

    def apply_or_fail(document: Any, **given: Any) -> Any:
        if not given["we_are_sender"] and document.header.number in broken:
            raise ValueError("a bug that only this document meets")
        return apply(document, **given)

    monkeypatch.setattr(order_book, "apply", apply_or_fail)
    return broken


def forget(company: Company, row: DocumentRow) -> None:
    """As if this company's software did not know that it has sent this before."""
    company.store.write(lambda tx: tx.documents.set_outcomes([("refused", "", row.document_id)]))


# --- held documents ---------------------------------------------------------------------------------------------------


def test_what_the_partner_holds_is_not_sent_again(
    buyer: Company, seller: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = failing(monkeypatch, "PO-1")
    give(buyer, seller, order(buyer, seller, "PO-1"))
    connect(buyer, seller)
    assert states(buyer, "out") == ["held"]

    assert give(buyer, seller, order(buyer, seller, "PO-1")).state == "duplicate"  # the ERP exports it once more
    broken.clear()
    seller.do(exchange.resolve_held, rows(seller, "in")[0].document_id, take=True, reason="")
    connect(buyer, seller)
    assert (states(buyer, "out"), states(seller, "in")) == (["taken"], ["taken"])


def test_a_sender_that_repeats_a_held_document_does_not_lock_it(
    buyer: Company, seller: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = failing(monkeypatch, "PO-1")
    give(buyer, seller, order(buyer, seller, "PO-1", issued_at=buyer.ctx.now()))
    connect(buyer, seller)
    forget(buyer, rows(buyer, "out")[0])
    give(buyer, seller, order(buyer, seller, "PO-1"))
    deliver(buyer, seller)
    assert states(seller, "in") == ["held", "held"]

    broken.clear()
    first, second = rows(seller, "in")
    seller.do(exchange.resolve_held, first.document_id, take=True, reason="")
    assert states(seller, "in") == ["taken", "taken"]
    assert rows(seller, "in")[1].duplicate_of == first.document_id
    assert [one.document_id for one in handed(seller)] == [first.document_id]
    assert second.document_id != first.document_id


def test_other_content_under_a_standing_number_is_not_taken_by_hand(buyer: Company, seller: Company) -> None:
    for quantity in (1, 2):
        period = Period(start_on=date(2026, 6, 1), end_on=date(2026, 6, 30))
        line = ForecastLine(
            line_id="1", item=ItemRef(seller_number="BEAR"), period=period, quantity=Quantity(Decimal(quantity), "C62")
        )
        assert give(buyer, seller, Forecast(header=DocumentHeader(number="F-1"), lines=(line,))).state == "waiting"
        connect(buyer, seller)
        forget(buyer, rows(buyer, "out", "Forecast")[-1])
    held = rows(seller, "in", "Forecast")[-1]
    assert held.state == "held"
    with pytest.raises(RefusedError, match="stands"):
        seller.do(exchange.resolve_held, held.document_id, take=True, reason="")
    seller.do(exchange.resolve_held, held.document_id, take=False, reason="wrong")
    assert states(seller, "in", "Forecast") == ["taken", "refused"]


def test_a_held_card_is_applied_when_it_is_released(
    buyer: Company, seller: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = partners.take_protocol

    def broken(*given: Any) -> Any:
        raise ValueError("a bug")

    monkeypatch.setattr(partners, "take_protocol", broken)
    buyer.do(partners.go_live, seller.id)
    deliver(buyer, seller)
    assert states(seller, "in", "GoLive") == ["held"]
    monkeypatch.setattr(partners, "take_protocol", take)
    seller.do(exchange.resolve_held, rows(seller, "in", "GoLive")[0].document_id, take=True, reason="")
    assert seller.partner(buyer).they_live_at is not None


# --- what can never be taken ------------------------------------------------------------------------------------------


def test_a_document_that_fits_no_frame_is_refused_at_home(buyer: Company, seller: Company) -> None:
    content = bytes(wire.FRAME_BYTES_MAX)
    file = Attachment(media_type="application/pdf", sha256=hashlib.sha256(content).digest(), content=content)
    given = give(buyer, seller, order(buyer, seller, "PO-1", attachments=(file,)))
    assert [one.rule for one in given.findings] == ["too-large"]
    assert rows(buyer, "out") == []


def test_a_receipt_with_many_findings_fits_a_frame(
    buyer: Company, seller: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "REASONS_BYTES_MAX", 9_000)
    bad = OrderLine(line_id="1", quantity=Quantity(Decimal(-1), "C62"), item=ItemRef(gtin="1" * 14))
    for number in range(40):
        given = replace(order(buyer, seller, f"PO-{number}"), lines=(bad,) * 30)
        document = replace(given, header=replace(given.header or DocumentHeader(), issuer="x" * 90))
        _raw(buyer, seller, document, f"PO-{number}")
    opening = _session(buyer, seller)
    batch, _ = buyer.do(exchange.next_batch, seller.id, opening.resume_after) or (None, 0)
    assert batch is not None
    taken = seller.do(exchange.take_batch, buyer.id, batch)
    assert isinstance(taken, exchange.Taken)
    assert len(taken.receipt.body) < 10_000 + 20 * len(batch.entries)
    said = wire.decode(link.ReceiptBody, taken.receipt.body).outcomes
    assert len(said) == 40
    assert said[0].reasons
    assert not said[-1].reasons


def _session(one: Company, other: Company) -> exchange.Opening:
    said = other.do(exchange.hello, one.id)
    opening = one.do(exchange.open_session, other.id, said)
    assert isinstance(opening, exchange.Opening)
    return opening


def _raw(sender: Company, receiver: Company, document: Document, number: str, kind: str = "Order") -> None:
    """Let a document wait that our own checks would not let out, as a partner's software may."""
    body, salt = wire.encode(document), number.encode().ljust(16)

    def add(tx: Any) -> None:
        document_id = tx.documents.next_ids(1)
        row = DocumentRow(
            document_id, receiver.id, "out", None, None, kind, sender.id, "", number, "", 0, "TEST", "waiting", None, 5,
            number, salt, body, b"", b"", link.leaf_of(salt, kind, body), "", 0, None,
        )  # fmt: skip
        tx.documents.add([row])

    sender.store.write(add)


def test_outcomes_that_make_no_sense_refuse_the_receipt(buyer: Company, seller: Company) -> None:
    give(buyer, seller, order(buyer, seller, "PO-1"))
    for number, outcome in ((0, link.Outcome.UNSPECIFIED), (1, link.Outcome.REFUSED)):
        opening = _session(buyer, seller)
        batch, last = buyer.do(exchange.next_batch, seller.id, opening.resume_after) or (link.Batch(), 0)
        at = last + number
        given = _signed_receipt(seller, buyer, last, (link.DocumentOutcome(number=at, outcome=outcome),))
        refusal = buyer.do(exchange.take_receipt, seller.id, given)
        assert refusal is not None
        assert refusal.code == "broken"
        assert batch is not None


def _signed_receipt(
    giver: Company, to: Company, number: int, outcomes: tuple[link.DocumentOutcome, ...]
) -> link.Receipt:
    """A receipt as a partner with another software might give it."""
    at, sender = giver.link(to, "in"), to.link(giver, "out")

    def sign(tx: Any, ctx: Any) -> link.Receipt:
        signer = partners.signer_for(tx, ctx, to.id)
        body = wire.encode(
            link.ReceiptBody(
                link_id=at.link_id,
                sender=to.id,
                receiver=giver.id,
                epoch=at.epoch,
                sequence=at.receipt_sequence + 1,
                previous_sha256=at.receipt_sha256,
                number=number,
                chain=sender.chain,
                outcomes=outcomes,
                given_at=ctx.now(),
                key_id=signer.key_id,
            )
        )
        return link.Receipt(body=body, signature=signer.sign(link.RECEIPT_DOMAIN + body))

    return giver.do(sign)


def test_what_was_taken_is_not_refused_later(buyer: Company, seller: Company) -> None:
    give(buyer, seller, order(buyer, seller, "PO-1"))
    connect(buyer, seller)
    last = buyer.link(seller, "out").number
    late = _signed_receipt(seller, buyer, last, (link.DocumentOutcome(number=last, outcome=link.Outcome.REFUSED),))
    refusal = buyer.do(exchange.take_receipt, seller.id, late)
    assert refusal is not None
    assert states(buyer, "out") == ["taken"]


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


# --- stock and replenishment ------------------------------------------------------------------------------------------


def stock(company: Company, number: str, on_hand: int, location: str = "DC1") -> StockRow:
    scaled = on_hand * PIECE
    key = f"no:{company.id}:{number}"
    at = company.ctx.now_micros()
    return StockRow(key, "", 0, location, "", "AVAILABLE", "EXACT", scaled, scaled, None, "C62", "", number, "", at, 0)


def test_arrivals_are_counted_place_by_place(seller: Company, buyer: Company) -> None:
    rules = tuple(
        ReplenishmentRule(
            item="BEAR", partner=buyer.id, location=place, reorder_point=Decimal(20), order_up_to=Decimal(100)
        )
        for place in ("DC1", "DC2")
    )
    settings(seller, replenishment=ReplenishmentSettings(rules=rules))
    seller.do(replenishment.load_rules)
    held = {"DC1": 100, "DC2": 10}
    seller.do(inventory.put_own, [stock(seller, "BEAR", count, place) for place, count in held.items()])
    key = f"no:{seller.id}:BEAR"
    seller.do(replenishment.check_items, {key: []})

    def requested() -> list[int]:
        return [rule.requested // PIECE for rule in seller.read(lambda tx: tx.stock.rules([key]))]

    assert requested() == [0, 90]
    before = seller.read(replenishment.awaited, [key])
    seller.do(inventory.put_own, [stock(seller, "BEAR", count, place) for place, count in held.items()])
    seller.store.write(lambda tx: replenishment.arrived(tx, before))  # the same figures again: nothing has come
    assert requested() == [0, 90]
    before = seller.read(replenishment.awaited, [key])
    seller.do(inventory.put_own, [stock(seller, "BEAR", 40, "DC2")])
    seller.store.write(lambda tx: replenishment.arrived(tx, before))
    assert requested() == [0, 60]


def test_a_revised_order_draws_only_the_difference(seller: Company, buyer: Company) -> None:
    seller.do(inventory.put_own, [stock(seller, "BEAR", 50)])
    for quantity, left in ((10, 40), (12, 38), (5, 45)):
        give(buyer, seller, order(buyer, seller, "PO-1", quantity))
        connect(buyer, seller)
        figures = seller.read(lambda tx: ledger.net(tx, tx.stock.figures([f"no:{seller.id}:BEAR"])))
        assert [row.available for row in figures] == [left * PIECE]


def test_test_orders_move_no_stock_once_a_link_is_live(seller: Company, buyer: Company, tmp_path: Path) -> None:
    third = Company(tmp_path, "Spielkiste")
    swap(third, seller)
    connect(third, seller)
    for one, other in ((third, seller), (seller, third)):
        one.do(partners.go_live, other.id)
    connect(third, seller)
    seller.do(inventory.put_own, [stock(seller, "BEAR", 50)])
    give(buyer, seller, order(buyer, seller, "PO-1", 10))
    connect(buyer, seller)
    figures = seller.read(lambda tx: ledger.net(tx, tx.stock.figures([f"no:{seller.id}:BEAR"])))
    assert [row.available for row in figures] == [50 * PIECE]
    give(third, seller, order(third, seller, "PO-1", 10))
    connect(third, seller)
    figures = seller.read(lambda tx: ledger.net(tx, tx.stock.figures([f"no:{seller.id}:BEAR"])))
    assert [row.available for row in figures] == [40 * PIECE]


def test_a_rule_taken_out_of_the_settings_asks_for_nothing(seller: Company, buyer: Company) -> None:
    rule = ReplenishmentRule(item="BEAR", partner=buyer.id, reorder_point=Decimal(20), order_up_to=Decimal(100))
    settings(seller, replenishment=ReplenishmentSettings(rules=(rule,)))
    seller.do(replenishment.load_rules)
    settings(seller, replenishment=ReplenishmentSettings())
    seller.do(replenishment.load_rules)
    seller.do(inventory.put_own, [stock(seller, "BEAR", 1)])
    assert seller.do(replenishment.check_items, {f"no:{seller.id}:BEAR": []}) == set()
    settings(seller, replenishment=ReplenishmentSettings(rules=(rule,)))
    seller.do(replenishment.load_rules)
    assert seller.do(replenishment.check_items, {f"no:{seller.id}:BEAR": []}) == {buyer.id}


def test_a_rule_in_a_unit_that_does_not_convert_stops_no_order(seller: Company, buyer: Company) -> None:
    rule = ReplenishmentRule(
        item="BEAR", partner=buyer.id, reorder_point=Decimal(20), order_up_to=Decimal(100), unit="KGM"
    )
    settings(seller, replenishment=ReplenishmentSettings(rules=(rule,)))
    seller.do(replenishment.load_rules)
    seller.do(inventory.put_own, [stock(seller, "BEAR", 1)])
    give(buyer, seller, order(buyer, seller, "PO-1"))
    connect(buyer, seller)
    assert states(seller, "in") == ["taken"]


# --- sharing and usage ------------------------------------------------------------------------------------------------


def test_figures_of_the_test_do_not_count_once_the_link_is_live(seller: Company, buyer: Company) -> None:
    settings(seller, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    seller.do(inventory.put_own, [stock(seller, "BEAR", 5)])
    connect(seller, buyer)
    assert buyer.read(lambda tx: tx.stock.count(seller.id)) == 1
    seller.do(partners.go_live, buyer.id)
    deliver(seller, buyer)
    buyer.do(partners.go_live, seller.id)
    assert buyer.read(lambda tx: tx.stock.count(seller.id)) == 0
    connect(seller, buyer)
    assert buyer.read(lambda tx: tx.stock.count(seller.id)) == 1


def test_other_sharing_rules_are_told_anew(seller: Company, buyer: Company) -> None:
    settings(seller, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    seller.do(inventory.sharing_may_have_changed)
    seller.do(inventory.put_own, [stock(seller, "BEAR", 5), stock(seller, "HARE", 5)])
    connect(seller, buyer)
    assert seller.do(inventory.sharing_may_have_changed) == []
    hidden = SharingRule(item="HARE", figure="hidden")
    settings(seller, sharing=SharingSettings(rules=(hidden, SharingRule(figure="exact"))))
    assert seller.do(inventory.sharing_may_have_changed) == [buyer.id]
    connect(seller, buyer)
    assert buyer.read(lambda tx: tx.stock.count(seller.id)) == 1


# --- what a partner may cost us ---------------------------------------------------------------------------------------


def test_what_a_hello_says_is_kept_within_bounds(buyer: Company, seller: Company) -> None:
    said = seller.do(exchange.hello, buyer.id)
    long = replace(said, accepts=("Order", *(f"{n:0500d}" for n in range(5_000))), understands=("x" * 100_000,))
    assert isinstance(buyer.do(exchange.open_session, seller.id, long), exchange.Opening)
    kept = buyer.partner(seller).last_hello
    assert len(kept) < 20_000
    assert '"Order"' in kept


def test_a_receipt_that_names_more_than_a_batch_holds_is_refused(
    buyer: Company, seller: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "OUTCOMES_MAX", 2)
    last = buyer.link(seller, "out").number
    taken = tuple(link.DocumentOutcome(number=n, outcome=link.Outcome.TAKEN) for n in range(1, 4))
    refusal = buyer.do(exchange.take_receipt, seller.id, _signed_receipt(seller, buyer, last, taken))
    assert refusal is not None
    assert refusal.code == "too-large"


def test_characters_that_no_database_takes_refuse_the_document(buyer: Company, seller: Company) -> None:
    _raw(buyer, seller, order(buyer, seller, "PO-1", issuer=buyer.id, series="\x00"), "PO-1")
    _raw(buyer, seller, order(buyer, seller, "PO-2", issuer=buyer.id), "PO-2", kind="Or\x00der")
    connect(buyer, seller)
    found = seller.read(lambda tx: tx.documents.search(direction="in", state="refused"))
    assert len(found) == 2
    assert all("\x00" not in str(part) for row in found for part in row if isinstance(part, str))
    assert all("\\u0000" not in row.reasons for row in found)


def test_stock_reports_are_not_kept_like_invoices(buyer: Company, seller: Company) -> None:
    settings(seller, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    seller.do(inventory.put_own, [stock(seller, "BEAR", 5)])
    give(buyer, seller, order(buyer, seller, "PO-1"))
    connect(seller, buyer)
    buyer.clock.move(days=31)
    retention.run(buyer.store, buyer.ctx)
    assert {row.body for row in rows(buyer, "in", "InventoryReport")} == {None}
    assert all(row.body for row in rows(buyer, "out"))


def test_a_stopped_link_resumes_only_where_both_accounts_fit(tmp_path: Path) -> None:
    one, other = Company(tmp_path / "one", "One"), Company(tmp_path / "other", "Other")
    swap(one, other)
    connect(one, other)
    said = other.do(exchange.hello, one.id)
    assert said.incoming is not None
    false = replace(said, incoming=replace(said.incoming, number=said.incoming.number + 5, chain=b"x" * 32))
    assert isinstance(one.do(exchange.open_session, other.id, false), exchange.Refusal)
    assert one.link(other, "out").state == "stopped"
    one.store.write(lambda tx: positions.resume(tx, other.id))
    assert isinstance(one.do(exchange.open_session, other.id, false), exchange.Refusal), "it does not fit, and stops"
    one.store.write(lambda tx: positions.resume(tx, other.id))
    assert isinstance(one.do(exchange.open_session, other.id, said), exchange.Opening)
    with pytest.raises(RefusedError, match="not stopped"):
        one.store.write(lambda tx: positions.resume(tx, other.id))
