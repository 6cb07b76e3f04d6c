"""What is past its time is forgotten, what is not done with is kept, and what was forgotten can still be proved.

And what a human decides about single documents: withdrawing one before it has gone, releasing or refusing a held one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app import operations
from node.app.documents.submit import Submission, submit, with_header
from node.app.links import evidence, exchange, outbox, retention
from node.cli.local import LocalHost
from node.config import RetentionSettings
from node.core import order_book
from node.core.document import header_of
from node.core.document.common import Note, PersonalData, PersonalEntry
from node.core.document.order import Order
from node.core.evidence import Report
from node.core.rows import DocumentRow
from node.errors import RefusedError, UnavailableError
from node.keyring import verify
from node.runtime.archive import Archive
from tests.companies import Company, connect, deliver, swap

CONSUMER = "Erika Mustermann"
DAYS = RetentionSettings(default_days=400, days={"OrderResponse": 30}, personal_days=90)


@pytest.fixture
def shop(tmp_path: Path) -> Company:
    return company(tmp_path, "shop")


@pytest.fixture
def maker(tmp_path: Path, shop: Company) -> Company:
    """The shop's partner: both know each other."""
    made = company(tmp_path, "maker")
    swap(shop, made)
    connect(shop, made)
    return made


def company(folder: Path, name: str, days: RetentionSettings = DAYS) -> Company:
    made = Company(folder, name)
    made.ctx = replace(made.ctx, settings=replace(made.ctx.settings, retention=days))
    return made


def order(company: Company, number: str, quantity: str = "3") -> Submission:
    """An order for a consumer, whose name and address travel beside it."""
    fields = {
        "header": {"number": number, "parties": [{"role": "END_CUSTOMER", "personal_key": "c1"}]},
        "currency": "EUR",
        "lines": [
            {
                "line_id": "1",
                "item": {"gtin": "4012345000009"},
                "quantity": {"value": quantity, "unit": "C62"},
                "price": {"amount": {"amount": "2.50", "currency": "EUR"}},
            }
        ],
    }
    document = wire.from_fields("Order", fields)
    assert isinstance(document, Order)
    return Submission(document, PersonalData(entries=(PersonalEntry(key="c1", name=CONSUMER),)))


def place(buyer: Company, seller: Company, *numbers: str) -> list[int]:
    done = buyer.do(submit, seller.id, [order(buyer, number) for number in numbers])
    assert {one.state for one in done} == {"waiting"}, done
    return [one.document_id or 0 for one in done]


def ask(company: Company, operation: str, **arguments: Any) -> Any:
    """A command, as a person gives it while no node runs."""
    host = LocalHost(company.store, company.ctx, company.keys)
    return operations.run(host, operation, arguments, lambda *_: None)


def erase(company: Company, archive: retention.Archive | None = None, **later: float) -> retention.Erased:
    company.clock.move(**later)
    return retention.run(company.store, company.ctx, archive)


def rows(company: Company, document_type: str) -> list[DocumentRow]:
    found = company.read(lambda tx: tx.documents.search(type=document_type, limit=100))
    return sorted(found, key=lambda row: row.document_id)


def exported(company: Company, partner: Company, *, personal: bool = False) -> bytes:
    return company.read(lambda tx: evidence.export(tx, partner.id, personal=personal))


def proved(company: Company, partner: Company, *, personal: bool = False) -> Report:
    data = exported(company, partner, personal=personal)
    report = evidence.verify(data, {one.id: one.fingerprint for one in (company, partner)}, verify)
    assert report.sound, report.findings
    return report


def erased(report: Report) -> int:
    return sum(one.erased for one in report.links)


def test_a_consumers_data_is_forgotten_after_its_days_on_both_sides(shop: Company, maker: Company) -> None:
    place(shop, maker, "PO-1", "PO-2")
    connect(shop, maker)
    for one in (shop, maker):
        other = maker if one is shop else shop
        assert all(CONSUMER.encode() in (row.personal or b"") for row in rows(one, "Order"))
        assert erase(one, days=89) == retention.Erased(0, 0)
        assert erase(one, days=2) == retention.Erased(0, 2)
        assert not any(row.personal for row in rows(one, "Order"))
        assert all(row.body for row in rows(one, "Order")), "the order itself is kept"
        for personal in (False, True):
            assert CONSUMER.encode() not in exported(one, other, personal=personal)
            assert erased(proved(one, other, personal=personal)) == 0
        assert erase(one) == retention.Erased(0, 0), "once is enough"
    place(shop, maker, "PO-3")
    connect(shop, maker)
    assert [row.state for row in rows(maker, "Order")] == ["taken"] * 3


def test_what_was_erased_keeps_its_leaf_and_its_place_in_the_proof(shop: Company, maker: Company) -> None:
    place(shop, maker, "PO-1")
    connect(shop, maker)
    ask(maker, "order.respond", order="PO-1", number="A-1", accept=True)
    connect(shop, maker)
    before = {one.name: [row.leaf for row in rows(one, "OrderResponse")] for one in (shop, maker)}
    for one, other in ((shop, maker), (maker, shop)):
        assert erase(one, days=31).documents == 1
        (row,) = rows(one, "OrderResponse")
        assert (row.body, row.leaf) == (None, before[one.name][0])
        report = proved(one, other)
        assert erased(report) == 1
        told = ask(one, "documents.show", document=row.document_id)
        assert (told["fields"], told["bytes"], told["number"]) == (None, None, "A-1")
        (shown,) = ask(one, "order.show", order="PO-1")["orders"]
        assert shown["lines"][0]["accepted"] == "3", "what it did to the order stays"
    ask(maker, "order.despatch", order="PO-1", number="D-1")
    connect(shop, maker)
    assert [row.state for row in rows(shop, "DespatchAdvice")] == ["taken"]


def test_the_same_answer_after_its_bytes_are_erased_is_still_a_duplicate(shop: Company, maker: Company) -> None:
    """What was erased was sent: an ERP that exports it again years later sends nothing twice."""
    place(shop, maker, "PO-1")
    connect(shop, maker)
    states = []
    for _ in range(2):
        states.append(ask(maker, "order.respond", order="PO-1", number="A-1", accept=True)["state"])
        connect(shop, maker)
        erase(maker, days=31)
    assert states == ["waiting", "duplicate"]
    assert len(rows(shop, "OrderResponse")) == 1


def test_what_is_not_done_with_is_never_erased(shop: Company, maker: Company) -> None:
    """Waiting, in doubt, or held: however old it is."""
    held = hold(maker, shop)
    (in_doubt,) = place(shop, maker, "PO-1")
    deliver_without_receipt(shop, maker)
    (waiting,) = place(shop, maker, "PO-2")
    for one in (shop, maker):
        erase(one, days=4_000)
    states = {row.document_id: (row.state, bool(row.body), bool(row.personal)) for row in rows(shop, "Order")}
    assert states[in_doubt] == ("sent", True, True)
    assert states[waiting] == ("waiting", True, True)
    (kept,) = [row for row in rows(shop, "OrderResponse") if row.document_id == held]
    assert kept.state == "held"
    assert kept.body


def deliver_without_receipt(sender: Company, receiver: Company) -> None:
    """A batch leaves, and the line breaks before anything comes back."""
    after = sender.link(receiver, "out").number
    assert sender.do(exchange.next_batch, receiver.id, after) is not None


def hold(sender: Company, receiver: Company) -> int:
    """The sender's answer arrives twice under one number, with other content: held there."""
    place(receiver, sender, "PO-H")
    connect(receiver, sender)
    ask(sender, "order.respond", order="PO-H", number="A-H", accept=True)
    connect(receiver, sender)
    (first,) = [row for row in rows(sender, "OrderResponse") if row.doc_number == "A-H"]
    assert first.body is not None
    document = wire.decode_document("OrderResponse", first.body)
    body = wire.encode(with_header(document, replace(header_of(document), notes=(Note(text="not as before"),))))
    sender.do(outbox.enqueue_protocol, receiver.id, "OrderResponse", body)
    deliver(sender, receiver)
    held = [row for row in rows(receiver, "OrderResponse") if row.state == "held"]
    return held[0].document_id


def test_cards_and_agreements_are_kept_for_ever(shop: Company, maker: Company) -> None:
    """They prove who has signed."""
    erase(shop, days=36_000)
    kept = [row for row in rows(shop, "CardConfirmation") if row.body]
    assert len(kept) == 2
    assert proved(shop, maker).sound


# --- the archive ------------------------------------------------------------------------------------------------------


def test_documents_are_in_the_archive_before_they_are_erased(shop: Company, maker: Company, tmp_path: Path) -> None:
    place(shop, maker, "PO-1", "PO-2")
    connect(shop, maker)
    before = rows(shop, "Order")
    folder = tmp_path / "archive"
    assert erase(shop, Archive(folder), days=401).documents == 2
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row, one in zip(before, told, strict=True):
        assert base64.b64decode(one["body"]) == row.body
        assert base64.b64decode(one["salt"]) == row.salt
        assert (one["document_id"], one["number"], one["type"]) == (row.document_id, row.number, "Order")
    assert not any(row.body for row in rows(shop, "Order"))


def test_a_consumers_data_never_goes_into_the_archive(shop: Company, maker: Company, tmp_path: Path) -> None:
    """It would outlive its days there; also where the node was off for long, or a document's days are fewer."""
    place(shop, maker, "PO-1")
    connect(shop, maker)
    assert erase(shop, Archive(tmp_path / "archive"), days=401) == retention.Erased(1, 0)
    (file,) = (tmp_path / "archive").iterdir()
    (one,) = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert CONSUMER.encode() not in base64.b64decode(one["personal"] or "")
    assert CONSUMER.encode() in (rows(maker, "Order")[0].personal or b""), "which was there to be archived"


def test_nothing_is_erased_while_the_archive_cannot_be_written(shop: Company, maker: Company, tmp_path: Path) -> None:
    place(shop, maker, "PO-1")
    connect(shop, maker)
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises(UnavailableError, match=r"retention\.archive") as caught:
        erase(shop, Archive(tmp_path / "archive"), days=401)
    assert "Nothing is erased" in caught.value.hint
    assert rows(shop, "Order")[0].body


# --- decisions on single documents ------------------------------------------------------------------------------------


def test_a_document_is_withdrawn_before_it_has_a_number(shop: Company, maker: Company) -> None:
    """Its effects are undone, and it never leaves."""
    (waiting,) = place(shop, maker, "PO-1")
    assert ask(shop, "documents.withdraw", document=waiting)["state"] == "withdrawn"
    connect(shop, maker)
    assert not rows(maker, "Order")
    (shown,) = ask(shop, "order.show", order="PO-1")["orders"]
    assert shown["status"] not in ("ordered", "accepted"), shown["status"]
    with pytest.raises(RefusedError, match="cannot be withdrawn"):
        ask(shop, "documents.withdraw", document=waiting)


@pytest.mark.parametrize("how", [connect, deliver_without_receipt], ids=["taken", "in doubt"])
def test_what_has_a_number_is_not_withdrawn(
    shop: Company, maker: Company, how: Callable[[Company, Company], None]
) -> None:
    (sent,) = place(shop, maker, "PO-1")
    how(shop, maker)
    with pytest.raises(RefusedError, match="cannot be withdrawn") as caught:
        ask(shop, "documents.withdraw", document=sent)
    assert caught.value.code == "too-late"
    assert "hansa order cancel" in caught.value.hint


def test_a_received_document_is_not_withdrawn(shop: Company, maker: Company) -> None:
    place(shop, maker, "PO-1")
    connect(shop, maker)
    with pytest.raises(RefusedError, match="none of ours"):
        ask(maker, "documents.withdraw", document=rows(maker, "Order")[0].document_id)


def test_of_two_contents_under_one_number_only_one_can_stand(shop: Company, maker: Company) -> None:
    """Taking the second one as well is refused with a reason; refusing it reaches the sender, and can be done once."""
    held = hold(maker, shop)
    with pytest.raises(RefusedError, match="A-H of revision 0 stands already") as caught:
        ask(shop, "documents.release", document=held)
    assert "ask its sender for a new revision" in caught.value.hint
    assert ask(shop, "documents.release", document=held, refuse="we talked about it")["state"] == "refused"
    connect(shop, maker)
    sent = max(rows(maker, "OrderResponse"), key=lambda row: row.document_id)
    assert sent.state == "refused"
    assert "we talked about it" in sent.reasons
    with pytest.raises(RefusedError, match="is not held"):
        ask(shop, "documents.release", document=held)
    proved(shop, maker)


def test_a_document_that_failed_here_is_released_once_that_is_mended(
    shop: Company, maker: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own loses nothing: bytes are kept, what follows waits behind, and both take effect afterwards."""

    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    place(shop, maker, "PO-1")
    with monkeypatch.context() as broken:
        broken.setattr(order_book, "apply", fail)
        deliver(shop, maker)
    shop.do(submit, maker.id, [order(shop, "PO-1", quantity="5")])
    connect(shop, maker)
    first, second = rows(maker, "Order")
    assert (first.state, second.state) == ("held", "held")
    assert "internal" in first.reasons
    assert "waits-behind" in second.reasons
    assert ask(maker, "documents.release", document=first.document_id)["state"] == "taken"
    connect(shop, maker)
    assert [row.state for row in rows(maker, "Order")] == ["taken", "taken"]
    assert [row.state for row in rows(shop, "Order")] == ["taken", "taken"]
    (shown,) = ask(maker, "order.show", order="PO-1")["orders"]
    assert shown["lines"][0]["ordered"] == "5"
    proved(maker, shop)
