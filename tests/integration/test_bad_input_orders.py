"""Bad input around customer orders: a finding, a state a human sees, and counts that still balance; on each engine."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_orders, customer_status
from node.app.operations.customer_orders import order_approve
from node.app.operations.registry import Host
from node.config import parse
from node.config.rules import RULES_FILE
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef
from node.core.document.order import ScheduleOutcome
from node.core.document.reservation import ReservationOutcome, ReservationResponse, ReservationResponseLine
from node.core.quantity import Quantity
from node.errors import RefusedError
from tests.carrier_server import carrier_server
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    PIECE,
    accept,
    an_order,
    answer,
    balanced,
    capture,
    deliver,
    despatch,
    pieces,
    put,
    received,
    reject,
    settings,
    settle,
    state,
    work,
)

pytestmark = pytest.mark.usefixtures("linked")

ITEM = f"gtin:{GTIN.zfill(14)}"
GOOD = '[[rules]]\nname = "all"\notherwise = true\nstrategy = "best"\n[strategies.best]\n'


def taken(company: Company) -> int:
    """What the ledger has promised of our stock; every counter must be the sum of the holds."""
    assert company.read(lambda tx: tx.reservations.differences()) == []
    return (
        sum(row.reserved + row.allocated for row in company.read(lambda tx: tx.reservations.counters([ITEM]))) // PIECE
    )


def stuck(company: Company) -> list[dict[str, Any]]:
    return company.read(lambda tx: customer_status.stuck(tx, company.ctx))


def why(company: Company, number: str) -> str:
    return str(company.read(lambda tx: customer_status.why(tx, number)))


def history(company: Company, order_id: int) -> list[str]:
    return [event.event for event in company.read(lambda tx: tx.customer_orders.events(order_id))]


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (GOOD + 'on_failure = "b"\n[strategies.b]\non_failure = "best"\n', "follow one another for ever"),
        (GOOD.replace("otherwise", "colour = 3\notherwise"), "this key is not known"),
        (GOOD + 'on_failure = "bets"\n', "bets"),
        ("x = [", "not TOML"),
    ],
)
def test_an_order_waits_for_a_human_while_its_rules_cannot_be_used(
    shop: Company, tmp_path: Path, bad: str, said: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / RULES_FILE).write_text(bad)
    settings(shop, home=home)
    put(shop, 10)
    order_id = capture(shop, an_order())
    settle(shop)
    (told,) = stuck(shop)
    assert (told["number"], told["waits_for"]) == ("C1", "you")
    assert said in told["what"]
    assert (balanced(shop, order_id), taken(shop)) == ({"ordered": 10, "open": 10}, 0)
    # Mended, it goes on by itself; and what is spoilt later does not count: the last good rules hold.
    (home / RULES_FILE).write_text(GOOD + "# mended\n")
    shop.clock.move(hours=1)
    put(shop, 20)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    (home / RULES_FILE).write_text(bad + "# again\n")
    other = capture(shop, an_order("C2", 5, customer="other"))
    settle(shop)
    assert balanced(shop, other) == {"ordered": 5, "live": 5}
    assert taken(shop) == 15


# --- carriers ---------------------------------------------------------------------------------------------------------

CARRIERS = """
[freight]
currency = "EUR"
cost = 3.50
[carriers."parcel"]
file = "parcel.toml"
[carriers."live"]
kind = "http"
file = "live.toml"
url = "{url}"
secret_file = "key"
timeout_seconds = 1
fallback = "parcel"
[[sharing.rules]]
figure = "exact"
[sites.DC1]
kind = "warehouse"
country = "DE"
postal_code = "80331"
"""


@pytest.mark.parametrize(
    ("country", "code", "offer", "said"),
    [
        ("BR", "20040", None, "parcel"),
        ("DE", "20457", {"gross": 5, "currency": "USD"}, "USD"),
        ("DE", "20457", {"gross": -5, "currency": "EUR"}, "-5"),
    ],
)
def test_rates_with_holes_and_quotes_that_cannot_be_used_stop_no_order(
    shop: Company, tmp_path: Path, project_root: Path, country: str, code: str, offer: Any, said: str
) -> None:
    for name in ("parcel.toml", "parcel-rates.csv", "live.toml"):
        shutil.copy(project_root / "config" / "carriers" / name, tmp_path / name)
    (tmp_path / "key").write_text("s3cret\n")
    with carrier_server() as server:
        rates = (
            [{"available": True, "product": {"name": "X"}, "price": offer, "delivery": {"days": 1}}] if offer else []
        )
        server.body = json.dumps({"rates": rates}).encode()
        shop.ctx = replace(shop.ctx, settings=parse(CARRIERS.replace("{url}", server.url), tmp_path))
        put(shop, 10)
        order_id = capture(shop, an_order(country=country, postal_code=code))
        settle(shop)
    assert said in why(shop, "C1")
    sums = balanced(shop, order_id)
    assert sums == {"ordered": 10, "live": 10} or stuck(shop)
    assert taken(shop) == sums.get("live", 0)


def test_an_order_in_a_currency_without_prices_is_a_case_of_its_own(shop: Company) -> None:
    put(shop, 10)
    order_id = capture(shop, an_order(currency="JPY"))
    settle(shop)
    sums = balanced(shop, order_id)
    assert sums == {"ordered": 10, "live": 10}
    assert taken(shop) == 10


def test_what_no_carrier_brings_is_told_as_that_and_looked_for_again_when_it_is_mended(shop: Company) -> None:
    """It was told as waiting for supply, with nothing to do, beside full shelves."""
    foreign = replace(shop.ctx.settings.freight, currency="EUR", cost=Decimal(4))
    settings(shop, freight=foreign)
    put(shop, 10)
    order_id = capture(shop, an_order(currency="GBP"))
    settle(shop)
    (told,) = stuck(shop)
    expected = ("back_ordered", "you", "no carrier serves this way")
    assert (told["state"], told["waits_for"], told["what"]) == expected
    assert "hansa order approve" in told["to_do"]
    assert "our rate is in EUR, not GBP" in why(shop, "C1")
    host = cast("Host", SimpleNamespace(store=shop.store, ctx=shop.ctx, live=None))
    assert order_approve(host, order="C1")["state"] == "sourced again"
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "back_ordered": 10}
    settings(shop, freight=replace(foreign, currency="GBP"))
    order_approve(host, order="C1")
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    with pytest.raises(RefusedError, match="nobody's approval"):
        order_approve(host, order="C1")
    # What there is none of waits for supply, and for nothing else.
    capture(shop, an_order("C2", 3, currency="GBP", customer="other"))
    settle(shop)
    (told,) = [one for one in stuck(shop) if one["number"] == "C2"]
    assert (told["what"], told["to_do"]) == ("nobody can send it now", "nothing: it is sourced when there is supply")


# --- partners ---------------------------------------------------------------------------------------------------------


def granted(shop: Company, meyer: Company, quantity: int, *, request: str = "", line_id: str = "1", number: str) -> Any:
    """A response to the shop's request that Meyer's ledger knows nothing of."""
    asked = meyer.read(lambda tx: tx.reservations.search(role="grantor"))
    name = request or asked[0].request
    known = asked[0].reservation_id if asked else "x"
    line = ReservationResponseLine(
        line_id=line_id,
        reservation_id=known,
        item=ItemRef(gtin=GTIN),
        outcome=ReservationOutcome.GRANTED,
        quantity=Quantity(Decimal(quantity), "C62"),
        expires_at=meyer.clock.now() + timedelta(hours=1),
    )
    key = DocumentKey(issuer=shop.id, type="ReservationRequest", number=name)
    document = ReservationResponse(header=DocumentHeader(number=number), request=key, lines=(line,))
    (done,) = meyer.do(submit, shop.id, [Submission(document)])
    return done


@pytest.mark.parametrize(
    ("quantity", "request_", "line_id"), [(1000, "", "1"), (10, "NEVER", "1"), (10, "", "77"), (10, "", "1")]
)
def test_grants_that_were_not_asked_for_change_nothing(
    shop: Company, meyer: Company, quantity: int, request_: str, line_id: str
) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    before = [(p.quantity, p.state) for p in pieces(shop, order_id)]
    granted(shop, meyer, quantity, request=request_, line_id=line_id, number="ROGUE")
    connect(shop, meyer)
    settle(shop, meyer)
    assert [(p.quantity, p.state) for p in pieces(shop, order_id)] == before
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert taken(meyer) == 10
    assert len(meyer.read(lambda tx: tx.orders.search(limit=9))) == 1


def test_a_partner_that_rejects_accepts_despatches_and_rejects_again(
    shop: Company, meyer: Company, braun: Company
) -> None:
    put(meyer, 10)
    put(braun, 4)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    connect(shop, braun)
    row = received(meyer)
    reject(meyer, row)
    settle(shop, meyer, braun)
    # It sends all the same, more than was ordered, and says no once more.
    answer(meyer, row, (ScheduleOutcome.ACCEPTED, 10), number="YES")
    answer(meyer, row, (ScheduleOutcome.REJECTED, 10), number="NO")
    settle(shop, meyer, braun)
    sums = balanced(shop, order_id)
    assert sums["ordered"] == 10
    assert sums["live"] + sums.get("back_ordered", 0) + sums.get("open", 0) == 10
    assert sum(p.quantity for p in pieces(shop, order_id)) == 10 * PIECE
    taken(meyer)
    assert taken(braun) <= 4


def test_what_comes_twice_and_too_much_counts_once(shop: Company, meyer: Company) -> None:
    put(meyer, 1000)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    row = received(meyer)
    accept(meyer, row)
    despatch(meyer, row, 300, "D1")
    despatch(meyer, row, 10, "D2")
    deliver(meyer, row, "D1")
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    assert "surplus" in history(shop, order_id)
    assert shop.read(lambda tx: tx.reservations.differences()) == []
    assert meyer.read(lambda tx: tx.reservations.differences()) == []


def test_an_answer_after_the_deadline_finds_the_order_gone_on(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    assert [row["waits_for"] for row in stuck(shop)] == ["Meyer"]
    for company in (shop, meyer, braun):
        company.clock.move(days=4)
    settle(shop, meyer, braun)
    # Still a human can see for whom it waits and since when; nothing of it was sourced twice.
    assert [row["number"] for row in stuck(shop)][:1] == ["C1"]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    accept(meyer, received(meyer))
    settle(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert taken(meyer) == 10


# --- orders -----------------------------------------------------------------------------------------------------------


def test_what_is_refused_leaves_nothing(shop: Company) -> None:
    put(shop, 10)
    for bad in (an_order(quantity=0), an_order(quantity=-1), an_order(quantity=10**12), an_order(postal_code="\x00")):
        done = shop.do(customer_orders.capture, bad)
        assert (done.state, done.customer_order_id) == ("refused", None)
        assert done.findings[0].text
    work(shop)
    assert stuck(shop) == []
    assert taken(shop) == 0
    # As much as the form allows and nobody has is a back order, and hurts nobody else.
    much = capture(shop, an_order("MUCH", 999_999_999))
    settle(shop)
    small = capture(shop, an_order("SMALL", 1, customer="other"))
    settle(shop)
    assert balanced(shop, much)["ordered"] == 999_999_999
    assert balanced(shop, much)["live"] + balanced(shop, small).get("live", 0) == 10
    assert taken(shop) == 10
    assert state(shop, small).state in ("active", "waiting")


def test_one_number_in_two_channels_is_told_apart_by_its_channel(shop: Company) -> None:
    put(shop, 10)
    capture(shop, an_order("C1", 2))
    other = capture(shop, an_order("C1", 3, channel="phone", customer="other"))
    settle(shop)
    with pytest.raises(RefusedError, match="several channels") as told:
        shop.read(lambda tx: customer_status.one(tx, "C1"))
    assert told.value.hint == "say which: web:C1"
    assert shop.read(lambda tx: customer_status.one(tx, "phone:C1")).customer_order_id == other
    assert [one["channel"] for one in shop.read(lambda tx: customer_status.show(tx, shop.ctx, "phone:C1"))] == ["phone"]
    with pytest.raises(RefusedError, match="no customer order"):
        shop.read(lambda tx: customer_status.one(tx, "fax:C1"))
