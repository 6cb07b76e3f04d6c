"""Two companies trade by hand, through the operations behind the commands, and every result shows as text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter
from node.app import operations
from node.cli import views
from node.cli.output import Output
from node.core import link
from node.errors import ConfigError, RefusedError, UnavailableError
from node.keyring import Keyring
from node.ports import Store
from tests.companies import Company, connect, swap


class Desk:
    """A company's host of operations; remembers what a running node would be told."""

    def __init__(self, company: Company, *, running: bool = False) -> None:
        self.company = company
        self.woken: list[str] = []
        self.live: operations.Live | None = Wire(self) if running else None

    @property
    def store(self) -> Store:
        return self.company.store

    @property
    def ctx(self) -> Any:
        return self.company.ctx

    @property
    def keys(self) -> Keyring:
        return self.company.keys

    def backup(self, target: Path) -> str:
        target.write_bytes(b"copy")
        return ""

    def adapter(self, name: str, start_from: str = "") -> AbstractContextManager[Adapter]:
        raise ConfigError(f"no adapter {name}")

    def do(self, name: str, **arguments: Any) -> Any:
        """Run an operation, and show what it says: no view may fail on a real result."""
        result = operations.run(self, name, arguments, lambda *_: None)
        shown = Output(json=False, color=False)
        if name in views.VIEWS:
            views.VIEWS[name](shown, result)
        elif name.startswith("order."):
            views.VIEWS["order.sent"](shown, result)
        return result


class Wire:
    """A running node that reaches one partner's desk without a network."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.other: Desk | None = None

    def ask(self, partner_id: str, query: link.Query, seconds: float) -> link.Answer:
        if self.other is None:
            raise UnavailableError(f"{partner_id} is not connected")
        if query.ping:
            return link.Answer(pong=True)
        from node.app.links import exchange

        return self.other.store.read(
            lambda tx: exchange.answer(tx, self.other.ctx, self.desk.company.id, query)  # type: ignore[union-attr]
        )

    def wake(self, partner_ids: Sequence[str]) -> None:
        self.desk.woken += partner_ids

    def reload(self) -> None:
        self.desk.woken.append("reload")

    def sessions(self) -> list[dict[str, Any]]:
        return [{"partner": self.other.company.id, "since": ""}] if self.other else []


@pytest.fixture
def shop(tmp_path: Path) -> Desk:
    return Desk(Company(tmp_path, "Shop", "0088:4012345000009"), running=True)


@pytest.fixture
def maker(shop: Desk, tmp_path: Path) -> Desk:
    made = Desk(Company(tmp_path, "Maker", "0088:4006381333931"))
    swap(shop.company, made.company)
    connect(shop.company, made.company)
    return made


def line_of(desk: Desk, number: str) -> dict[str, Any]:
    (order,) = desk.do("order.show", order=number)["orders"]
    (line,) = order["lines"]
    return dict(line)


def test_an_order_goes_all_the_way_by_hand(shop: Desk, maker: Desk) -> None:
    placed = shop.do(
        "order.place",
        partner=maker.company.id,
        number="PO1",
        lines=[{"line": "CHEW-1", "quantity": "6", "price": "2.555"}],
        currency="EUR",
        deliver="2026-05-20",
        customer_order="C77",
        ship_to="STORE1",
    )
    assert (placed["state"], placed["number"]) == ("waiting", "PO1")
    assert maker.company.id in shop.woken
    connect(shop.company, maker.company)

    maker.do(
        "order.respond",
        order="PO1",
        number="AB1",
        lines=[{"line": "1", "quantity": "5", "on": "2026-05-21"}],
        reason="one is broken",
    )
    maker.do("order.despatch", order="PO1", number="LS1", carrier="DHL", tracking="JJD1")
    connect(shop.company, maker.company)
    assert line_of(shop, "C77")["despatched"] == "5"

    shop.do("order.receive", order="PO1", number="WE1", damaged=[{"line": "1", "quantity": "1"}])
    connect(shop.company, maker.company)
    billed = maker.do("order.invoice", order="PO1", number="RE1", tax="19", due="2026-06-20")
    connect(shop.company, maker.company)

    line = line_of(shop, "PO1")
    assert {name: line[name] for name in ("accepted", "rejected", "despatched", "received", "damaged", "invoiced")} == {
        "accepted": "5",
        "rejected": "1",
        "despatched": "5",
        "received": "4",
        "damaged": "1",
        "invoiced": "5",
    }
    invoice = maker.do("documents.show", document=billed["document"])
    assert invoice["state"] == "taken"
    totals = invoice["fields"]["totals"]
    assert (totals["lines"]["amount"], totals["tax"]["amount"], totals["payable"]["amount"]) == (
        "12.78",
        "2.43",
        "15.21",
    )
    assert shop.do("order.list")["orders"][0]["number"] == "PO1"
    assert [one["type"] for one in shop.do("documents.list", direction="in", type="Invoice")["documents"]] == [
        "Invoice"
    ]


def test_documents_are_told_by_the_names_of_partners(
    shop: Desk, maker: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    placed = shop.do("order.place", partner=maker.company.id, number="PO1", lines=[{"line": "CHEW-1", "quantity": "6"}])
    capsys.readouterr()
    (listed,) = shop.do("documents.list", type="Order")["documents"]
    assert (listed["partner"], listed["partner_name"]) == (maker.company.id, "Maker")
    out = capsys.readouterr().out
    assert "Maker" in out
    assert maker.company.id not in out
    shop.do("documents.show", document=placed["document"])
    assert f"Maker, {maker.company.id} (sent)" in capsys.readouterr().out


def test_a_change_and_a_cancellation_are_answered(shop: Desk, maker: Desk) -> None:
    shop.do("order.place", partner=maker.company.id, number="PO2", lines=[{"line": "A", "quantity": "10"}])
    connect(shop.company, maker.company)
    shop.do("order.change", order="PO2", number="CH1", lines=[{"line": "1", "quantity": "4"}], reason="too many")
    connect(shop.company, maker.company)
    assert line_of(maker, "PO2")["change_requested"] == "4"
    answered = maker.do("order.respond", order="PO2", number="AB2", accept=True)
    assert answered["answers"] == "OrderChange CH1"
    connect(shop.company, maker.company)
    assert line_of(shop, "PO2")["ordered"] == line_of(maker, "PO2")["ordered"] == "4"
    shop.do("order.cancel", order="PO2", number="CA1", reason="customer has gone")
    connect(shop.company, maker.company)
    answered = maker.do("order.respond", order="PO2", number="AB3", accept=True)
    assert answered["answers"] == "OrderCancellation CA1"
    connect(shop.company, maker.company)
    assert line_of(shop, "PO2")["status"] == "cancelled"


def test_an_order_is_rejected_with_a_reason(shop: Desk, maker: Desk) -> None:
    shop.do("order.place", partner=maker.company.id, number="PO3", lines=[{"line": "A", "quantity": "1"}])
    connect(shop.company, maker.company)
    with pytest.raises(RefusedError, match="says why"):
        maker.do("order.respond", order="PO3", number="AB4", reject=True)
    rejected = maker.do("order.respond", order="PO3", number="AB4", reject=True, reason="no longer made")
    assert rejected["answers"] == ""
    connect(shop.company, maker.company)
    assert line_of(shop, "PO3")["status"] == "rejected"


def test_numbers_are_the_companys(shop: Desk, maker: Desk) -> None:
    lines = [{"line": "A", "quantity": "1"}]
    with pytest.raises(RefusedError) as caught:
        shop.do("order.place", partner=maker.company.id, lines=lines)
    assert caught.value.code == "number-missing"
    assert "--number" in caught.value.hint
    fields = {"header": {"number": "PO4"}, "currency": "EUR", "lines": [{"line_id": "1", "quantity": {"value": "x"}}]}
    with pytest.raises(RefusedError, match="lines\\[0\\]"):
        shop.do("order.place", partner=maker.company.id, fields=fields)
    with pytest.raises(RefusedError, match="PO4"):
        shop.do("order.place", partner=maker.company.id, fields=fields, number="PO5")
    assert shop.do("documents.list", type="Order")["documents"] == []


def test_the_same_order_twice_is_sent_once_and_can_be_withdrawn(shop: Desk, maker: Desk) -> None:
    order: dict[str, Any] = {"partner": maker.company.id, "number": "PO6", "lines": [{"line": "A", "quantity": "1"}]}
    first = shop.do("order.place", **order)
    again = shop.do("order.place", **order)
    assert (again["state"], again["document"]) == ("duplicate", first["document"])
    assert shop.do("documents.withdraw", document=first["document"])["state"] == "withdrawn"
    with pytest.raises(RefusedError, match="cannot be withdrawn"):
        shop.do("documents.withdraw", document=first["document"])
    with pytest.raises(RefusedError, match="not held"):
        shop.do("documents.release", document=first["document"])


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("order.despatch", {"order": "NONE", "number": "1"}, "unknown-order"),
        ("order.show", {"order": "NONE"}, "unknown-order"),
        ("order.receive", {"number": "1"}, "bad-argument"),
        ("order.invoice", {"order": "NONE", "number": "1"}, "bad-argument"),
        ("order.list", {"limit": 0}, "bad-argument"),
        ("order.list", {"limit": "5"}, "bad-argument"),
        ("order.list", {"colour": "red"}, "bad-argument"),
        ("order.place", {}, "number-missing"),
        ("order.place", {"partner": "0088:4006381333931", "deliver": "tomorrow"}, "bad-argument"),
        ("order.place", {"partner": "0088:4006381333931", "lines": [{"line": "A"}]}, "bad-argument"),
        ("order.place", {"partner": "0088:4006381333931", "lines": ["A"]}, "bad-argument"),
        ("documents.show", {"document": 4711}, "unknown-document"),
        ("documents.show", {"document": True}, "bad-argument"),
        ("partner.show", {"partner": "0088:0000000000000"}, "unknown-partner"),
        ("availability", {"items": []}, "too-large"),
        ("availability", {"items": ["A"], "quantity": "1E5"}, "bad-argument"),
        ("order.burn", {}, "unknown-operation"),
    ],
)
def test_what_makes_no_sense_is_refused(
    shop: Desk, maker: Desk, operation: str, arguments: dict[str, Any], code: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        shop.do(operation, **arguments)
    assert caught.value.code == code


def test_partners_keys_and_evidence_show(shop: Desk, maker: Desk, tmp_path: Path) -> None:
    told = shop.do("partner.show", partner=maker.company.id)
    assert (told["state"], told["usage"], told["fingerprint"]) == ("confirmed", "TEST", maker.company.fingerprint)
    assert shop.do("partner.list")["partners"][0]["name"] == "Maker"
    assert shop.do("partner.card")["fingerprint"] == shop.company.fingerprint
    assert shop.do("partner.go-live", partner=maker.company.id)["we_live_at"]
    assert "reload" in shop.woken
    assert shop.do("partner.terms", partner=maker.company.id)["theirs"] is None
    status = shop.do("status")
    assert (status["running"], status["partners"][0]["state"]) == (True, "confirmed")
    assert len(shop.do("key.rotate")["keys"]) == 2
    connect(shop.company, maker.company)
    file = tmp_path / "proof"
    made = shop.do("evidence.export", partner=maker.company.id, out=str(file))
    assert made["bytes"] == file.stat().st_size
    with pytest.raises(ConfigError, match="there already"):
        shop.do("evidence.export", partner=maker.company.id, out=str(file))
    assert shop.do("partner.revoke", partner=maker.company.id, reason="moved")["state"] == "revoked"


def test_trade_terms_go_as_a_document(shop: Desk, maker: Desk) -> None:
    sent = shop.do("partner.terms", partner=maker.company.id, send=True, number="T1")["sent"]
    connect(shop.company, maker.company)
    assert shop.do("documents.show", document=sent["document"])["state"] == "taken"
    # What is not set is not told either.
    assert maker.do("partner.terms", partner=shop.company.id)["theirs"] == {}


def test_a_ping_and_a_question_need_a_session(shop: Desk, maker: Desk) -> None:
    with pytest.raises(UnavailableError, match="running node"):
        maker.do("partner.ping", partner=shop.company.id)
    with pytest.raises(UnavailableError, match="not connected"):
        shop.do("partner.ping", partner=maker.company.id)
    with pytest.raises(UnavailableError, match="running node"):
        maker.do("availability", items=["A"], max_age=0)
    assert isinstance(shop.live, Wire)
    shop.live.other = maker
    assert shop.do("partner.ping", partner=maker.company.id)["partner"] == maker.company.id
    told = shop.do("availability", items=["A"], quantity="3", by="2026-06-01", max_age=0)
    assert told["figures"] == []
    assert told["asked"] == [{"partner": maker.company.id, "answered": True, "why": ""}]
    assert [(one["item"], one["by_then"]) for one in told["promises"]] == [("A", "0")]


def test_a_backup_needs_an_empty_folder(shop: Desk, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert shop.do("backup", folder=str(target))["files"] == {"hansa.db": 4}
    with pytest.raises(ConfigError, match="not empty"):
        shop.do("backup", folder=str(target))
    with pytest.raises(ConfigError, match="whole path"):
        shop.do("backup", folder="copy")


def test_an_order_under_a_number_that_was_sent_says_that_it_replaces(
    shop: Desk, maker: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    for quantity, revision in (("6", 0), ("7", 1)):
        line = {"line": "CHEW-1", "quantity": quantity, "price": "2"}
        told = shop.do("order.place", partner=maker.company.id, number="PO1", lines=[line], currency="EUR")
        assert told["revision"] == revision
        said = capsys.readouterr()
        assert ("replaces what was sent" in said.out + said.err) == (revision > 0)
    shop.do("order.show", order="PO1")
    shown = capsys.readouterr().out
    assert "PO1 revision 1" in shown
    assert "ordered" in shown
    assert "by us" in shown


def test_an_order_to_ourselves_is_not_placed_by_hand(shop: Desk, maker: Desk) -> None:
    line = {"line": "CHEW-1", "quantity": "6"}
    with pytest.raises(RefusedError, match="to ourselves") as caught:
        shop.do("order.place", partner=shop.company.id, number="PO1", lines=[line])
    assert "without --partner" in caught.value.hint
