"""Promises, performance, warnings and disruptions by command, each shown as text."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from node.app.stock import demand
from node.errors import RefusedError
from tests.companies import Company, connect, swap
from tests.integration.test_cli_operations import Desk
from tests.integration.test_promising import ONE, figure, own_stock, told


def test_a_person_sees_what_can_be_had_and_how_surely(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buyer, seller = Company(tmp_path / "b", "Buyer"), Company(tmp_path / "s", "Seller")
    swap(buyer, seller)
    connect(buyer, seller)
    desk = Desk(buyer)
    key = f"no:{buyer.id}:A"
    own_stock(buyer, figure("", key, "DC", 4))
    told(buyer, seller, figure("", f"no:{seller.id}:S1", "W", 9, expected=f'[[{5 * ONE}, "2026-05-20", "purchase"]]'))
    found = desk.do("availability", items=[f"no:{seller.id}:S1"], quantity="12", by="2026-05-10")
    one = found["promises"][0]
    assert (one["by_then"], one["on"], one["confidence"]) == ("9", "2026-05-20", "0.729")
    assert found["figures"][0]["confidence"] == "0.729"
    text = capsys.readouterr().out
    assert "9 by then, all of it on 2026-05-20; all of it comes with 73 %" in text
    wants = [demand.Demand(key, "DE", date(2026, 5, 1), 200 * ONE, "C62")]
    buyer.store.write(lambda tx: demand.note_demand(tx, wants))
    assert [warned["item"] for warned in desk.do("stock.warnings")["warnings"]] == [key]
    sent = desk.do("disruption.send", kind="closure", items=["A"], location="DC", until="2026-05-09", number="N1")
    assert [(row["text"], row["state"]) for row in sent["disruptions"]] == [("closure until 2026-05-09", "in_force")]
    assert desk.do("availability", items=["A"], quantity="4")["promises"][0]["on"] == "2026-05-10"
    assert desk.do("disruption.list")["disruptions"][0]["number"] == "N1"
    assert desk.do("disruption.end", number="N1")["disruptions"][0]["state"] == "ended"
    assert desk.do("partner.performance")["partners"][0]["measures"]["line_accepted"]["seen"] == 0
    assert desk.do("partner.performance", partner="Seller")["history"] == []
    for name, wrong in (
        ("disruption.send", {"kind": "plague"}),
        ("disruption.send", {"kind": "closure", "items": ["NO-SUCH-ITEM"]}),
        ("disruption.send", {"kind": "closure", "partners": ["Nobody"]}),
        ("disruption.end", {"number": "N9"}),
        ("availability", {"items": ["A"], "quantity": "-1"}),
        ("availability", {"items": ["A"], "quantity": "1", "by": "1999-01-01"}),
        ("partner.performance", {"partner": "Nobody"}),
    ):
        with pytest.raises(RefusedError):
            desk.do(name, **wrong)
