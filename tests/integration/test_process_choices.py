"""What decides how customer orders are sourced: waves, rules and their actions on failure, approval, the customer."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from node.app.fulfilment import advancing, customer_orders, customer_status
from node.app.fulfilment.advancing import advance
from node.app.operations.customer_orders import order_approve
from node.app.operations.registry import Host
from node.app.sourcing import planner, scarcity
from node.app.systems import erp
from node.config import AdapterSettings
from node.config.rules import RULES_FILE
from node.config.sites import SiteSettings
from node.core.document.common import Price
from node.core.document.customer import Preference
from node.core.document.order import ScheduleOutcome
from node.core.money import Money
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    an_order,
    answer,
    balanced,
    capture,
    orchestration,
    pieces,
    put,
    received,
    settings,
    settle,
    state,
)

pytestmark = pytest.mark.usefixtures("linked")

RULES = """
[[rules]]
name = "all"
otherwise = true
strategy = "first"
{rule}
[strategies.first]
{first}
[strategies.second]
{second}
"""


def rules(company: Company, home: Path, *, rule: str = "", first: str = "", second: str = "") -> None:
    folder = home / "rules-of" / company.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RULES_FILE).write_text(RULES.format(rule=rule, first=first, second=second))
    settings(company, home=folder)


class Alone:
    """A node that does not run, as operations see it."""

    live = None

    def __init__(self, company: Company) -> None:
        self.store, self.ctx = company.store, company.ctx

    def backup(self, target: Path) -> str:
        raise AssertionError("nothing is copied here")


def history(company: Company, order_id: int) -> list[str]:
    return [event.event for event in company.read(lambda tx: tx.customer_orders.events(order_id))]


# --- waves ------------------------------------------------------------------------------------------------------------


def test_a_wave_is_solved_together_and_priority_decides(shop: Company, meyer: Company, braun: Company) -> None:
    orchestration(shop, wave_orders=100)
    put(shop, 12)
    ids = [capture(shop, an_order(f"C{n}", 5, priority=9 if n == 4 else 0, customer=f"k{n}")) for n in range(1, 6)]
    done = advance(shop.store, shop.ctx)
    assert (done.orders, done.sourced) == (5, 5)
    settle(shop)
    sums = [balanced(shop, one) for one in ids]
    assert sums[3] == {"ordered": 5, "live": 5}
    assert sum(one.get("live", 0) for one in sums) == 12
    assert sum(one.get("back_ordered", 0) for one in sums) == 13
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_a_wave_takes_up_what_is_left_when_stock_went_meanwhile(
    shop: Company, meyer: Company, braun: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is made on a snapshot: what the ledger no longer has is sourced again, and sold once."""
    orchestration(shop, wave_orders=100)
    put(shop, 10)
    ids = [capture(shop, an_order(f"C{n}", 5, customer=f"k{n}")) for n in (1, 2)]
    choose = planner.choose

    def slowly(*args: Any) -> Any:
        found = choose(*args)
        monkeypatch.setattr(advancing, "choose", choose)
        put(shop, 5)
        return found

    monkeypatch.setattr(advancing, "choose", slowly)
    settle(shop)
    assert sorted(balanced(shop, one).get("live", 0) for one in ids) == [0, 5]
    assert shop.read(lambda tx: tx.reservations.differences()) == []


# --- what rules say when nobody has it --------------------------------------------------------------------------------


def test_what_the_first_strategy_leaves_open_goes_to_the_next(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    rules(shop, tmp_path, first='partners = ["-"]\non_failure = "second"', second='on_failure = "back_order"')
    put(shop, 4)
    put(meyer, 3)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    assert sorted((p.partner_id, p.quantity // 1_000_000) for p in pieces(shop, order_id) if p.location) == [
        ("", 4),
        (meyer.id, 3),
    ]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 7, "back_ordered": 3}
    assert "next_strategy" in history(shop, order_id)
    told = [one["strategy"] for one in shop.read(lambda tx: customer_status.why(tx, "C1"))["decisions"]]
    assert (told[0], told[-1]) == ("all/first", "all/second")


def test_what_nobody_has_is_cancelled_where_the_rules_say_so(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    rules(shop, tmp_path, first='on_failure = "cancel"')
    put(shop, 4)
    order_id = capture(shop, an_order())
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 4, "cancelled": 6}
    nothing = capture(shop, an_order("C2", 3, customer="other"))
    settle(shop)
    assert balanced(shop, nothing) == {"ordered": 3, "cancelled": 3}
    assert state(shop, nothing).state == "cancelled"


def test_what_nobody_has_waits_for_a_human_where_the_rules_say_so(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    rules(shop, tmp_path, first='on_failure = "human"')
    put(shop, 4)
    order_id = capture(shop, an_order())
    settle(shop)
    assert state(shop, order_id).state == "human"
    assert balanced(shop, order_id) == {"ordered": 10, "live": 4, "open": 6}
    (told,) = [one for one in shop.read(lambda tx: customer_status.stuck(tx, shop.ctx)) if one["waits_for"] == "you"]
    assert "decide" in told["what"]


# --- approval ---------------------------------------------------------------------------------------------------------


def priced(number: str, quantity: int, amount: str, **changes: Any) -> Any:
    order = an_order(number, quantity, **changes)
    (line,) = order.lines
    return replace(order, lines=(replace(line, price=Price(amount=Money(Decimal(amount), "EUR"))),))


def test_an_order_above_an_amount_waits_for_approval(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    rules(shop, tmp_path, rule='approval_over = "100 EUR"')
    put(shop, 50)
    small = capture(shop, priced("C1", 10, "9.90"))
    large = capture(shop, priced("C2", 10, "10.10", customer="other"))
    settle(shop)
    assert balanced(shop, small) == {"ordered": 10, "live": 10}
    assert (state(shop, large).state, pieces(shop, large)) == ("approval", [])
    (told,) = [one for one in shop.read(lambda tx: customer_status.stuck(tx, shop.ctx)) if one["number"] == "C2"]
    assert (told["state"], told["waits_for"]) == ("approval", "you")
    order_approve(cast("Host", Alone(shop)), order="C2", reason="a good customer")
    settle(shop)
    assert balanced(shop, large) == {"ordered": 10, "live": 10}
    assert state(shop, large).state == "active"


# --- when a source fails ----------------------------------------------------------------------------------------------


def test_our_own_system_refuses_an_instruction_and_the_piece_comes_from_elsewhere(
    shop: Company, meyer: Company, braun: Company
) -> None:
    erps = [AdapterSettings(name=one, kind="jsonl", documents=("Order",), usage=one) for one in ("test", "production")]
    settings(shop, adapters=tuple(erps))
    put(shop, 10)
    order_id = capture(shop, an_order())
    settle(shop)
    put(meyer, 10)
    connect(shop, meyer)
    (row,) = shop.read(lambda tx: tx.orders.search(partner_id=shop.id))
    shop.do(erp.give_up, row.document_id, "the item is locked")
    settle(shop, meyer)
    assert [(p.partner_id, p.state) for p in pieces(shop, order_id)] == [(meyer.id, "ordered")]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    counters = shop.read(lambda tx: tx.reservations.counters([f"gtin:{GTIN.zfill(14)}"]))
    assert [(one.reserved, one.allocated) for one in counters] in ([], [(0, 0)])


def test_what_a_partner_sends_on_no_named_day_is_sourced_elsewhere_by_policy(
    shop: Company, meyer: Company, braun: Company
) -> None:
    orchestration(shop, partner_back_orders="elsewhere")
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    put(braun, 10)
    connect(shop, braun)
    row = received(meyer)
    answer(meyer, row, (ScheduleOutcome.ACCEPTED, 7), (ScheduleOutcome.BACK_ORDERED, 3))
    settle(shop, meyer, braun)
    # It is asked to do with less, and until it agrees nothing is sourced twice.
    assert [(p.partner_id, p.quantity // 1_000_000, p.wanted // 1_000_000) for p in pieces(shop, order_id)] == [
        (meyer.id, 10, 7)
    ]
    answer(meyer, row, (ScheduleOutcome.ACCEPTED, 7), (ScheduleOutcome.REJECTED, 3), number="LESS")
    settle(shop, meyer, braun)
    assert sorted((p.partner_id, p.quantity // 1_000_000) for p in pieces(shop, order_id)) == sorted(
        [(meyer.id, 7), (braun.id, 3)]
    )
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


# --- the customer -----------------------------------------------------------------------------------------------------

SITES = {
    "NEAR": SiteSettings(kind="warehouse", country="DE", postal_code="20457", lead_days=5),
    "FAR": SiteSettings(kind="warehouse", country="DE", postal_code="80331", lead_days=0),
}


def test_what_a_customer_preferred_before_decides_again(shop: Company, meyer: Company, braun: Company) -> None:
    """The first order says what the customer prefers; the second says nothing, and is decided alike."""
    settings(shop, sites=SITES)
    put(shop, 6, "NEAR")
    put(shop, 6, "FAR")
    whole = capture(shop, an_order("C1", 4, no_split=True, preference=Preference.FASTEST))
    settle(shop)
    ((location, quantity),) = [(p.location, p.quantity // 1_000_000) for p in pieces(shop, whole)]
    assert (location, quantity) == ("FAR", 4)
    again = capture(shop, an_order("C2", 6, country="", postal_code=""))
    row = state(shop, again)
    assert (row.country, row.postal_code, row.preference, row.no_split) == ("DE", "20457", "FASTEST", 1)
    settle(shop)
    # Two are left far away, so the fastest way would be a split, which this customer does not want.
    assert [(p.location, p.quantity // 1_000_000) for p in pieces(shop, again)] == [("NEAR", 6)]
    put(shop, 12, "NEAR")
    put(shop, 12, "FAR")
    other = capture(shop, an_order("C3", 8, customer="cust-2"))
    settle(shop)
    assert balanced(shop, other) == {"ordered": 8, "live": 8}
    (shown, *_) = shop.read(lambda tx: customer_status.show(tx, shop.ctx, "C2"))
    assert shown["customer_orders"] == 2


def test_an_unknown_postal_code_waits_for_a_human(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    put(shop, 10)
    table = tmp_path / "places.txt"
    table.write_text("DE\t20457\tHamburg\t\t\t\t\t\t\t53.54\t9.98\t\n")
    settings(shop, freight=replace(shop.ctx.settings.freight, postal_codes=(str(table),)))
    done = shop.do(customer_orders.capture, an_order(postal_code="00000"))
    assert [one.rule for one in done.findings] == ["unknown-postal-code"]
    assert done.customer_order_id is not None
    settle(shop)
    assert state(shop, done.customer_order_id).state == "human"
    assert balanced(shop, done.customer_order_id) == {"ordered": 10, "open": 10}
    order_approve(cast("Host", Alone(shop)), order="C1")
    settle(shop)
    assert balanced(shop, done.customer_order_id) == {"ordered": 10, "live": 10}


# --- scarce stock -----------------------------------------------------------------------------------------------------


def test_the_process_counts_what_scarce_stock_is_worth(shop: Company, meyer: Company, braun: Company) -> None:
    import json

    settings(shop, sites={name: replace(one, lead_days=0) for name, one in SITES.items()})
    put(shop, 6, "NEAR")
    put(shop, 6, "FAR")
    item = f"gtin:{GTIN.zfill(14)}"
    first = capture(shop, an_order("C1", 1))
    settle(shop)
    (place,) = [piece.location for piece in pieces(shop, first)]
    other = "FAR" if place == "NEAR" else "NEAR"
    told = json.dumps({"EUR": [[f"|{place}", item, "500"]]})
    shop.do(lambda tx, ctx: tx.settings.put(scarcity.SETTING, told))
    second = capture(shop, an_order("C2", 1))
    settle(shop)
    assert [piece.location for piece in pieces(shop, second)] == [other]
