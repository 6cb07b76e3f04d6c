"""Faults that a review found: held and refused documents, what a partner may cost us. Each failed before the repair."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.links import exchange, partners, positions, receiving, retention, sending
from node.app.stock import inventory
from node.config import (
    SharingRule,
    SharingSettings,
)
from node.core import link
from node.core.document import Document
from node.core.document.common import (
    Attachment,
    DocumentHeader,
    ItemRef,
    Period,
)
from node.core.document.order import OrderLine
from node.core.document.replenishment import Forecast, ForecastLine
from node.core.quantity import Quantity
from node.core.rows import DocumentRow
from node.errors import RefusedError
from tests.companies import Company, connect, deliver, swap
from tests.integration import exchange_pair
from tests.integration.exchange_pair import failing, forget, give, handed, order, rows, settings, states, stock

buyer, seller, linked = exchange_pair.buyer, exchange_pair.seller, exchange_pair.linked


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
