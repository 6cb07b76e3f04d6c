"""Mistakes that other systems made, one test each on a whole order, with links, holds and ledger; on each engine."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_orders, customer_status
from node.app.links import exchange
from node.cli import main
from node.config import PartnerSettings
from node.config.rules import RULES_FILE
from node.config.sites import SiteSettings
from node.core.customer_rows import PieceRow
from node.core.document.common import (
    Address,
    DateQualifier,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    PersonalData,
    PersonalEntry,
    QualifiedDate,
)
from node.core.document.customer import CustomerLine
from node.core.document.fulfilment import DeliveryEvent, DeliveryStatus
from node.core.document.order import Order, OrderKind, OrderLine, ScheduleOutcome
from node.core.quantity import Quantity
from tests.companies import Company, connect, swap
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
    key,
    orchestration,
    pieces,
    put,
    put_figures,
    received,
    say,
    settings,
    settle,
    state,
    work,
)

pytestmark = pytest.mark.usefixtures("linked")

ITEM = f"gtin:{GTIN.zfill(14)}"


def line(line_id: str, quantity: int, unit: str = "C62") -> CustomerLine:
    return CustomerLine(line_id=line_id, item=ItemRef(gtin=GTIN), quantity=Quantity(Decimal(quantity), unit))


def taken(company: Company) -> dict[str, int]:
    """What the ledger has promised of our own stock, place by place; the counters must be the sum of the holds."""
    assert company.read(lambda tx: tx.reservations.differences()) == []
    rows = company.read(lambda tx: tx.reservations.counters([ITEM]))
    found = {row.location: (row.reserved + row.allocated) // PIECE for row in rows}
    return {place: count for place, count in found.items() if count}


def placed(company: Company, order_id: int) -> list[tuple[str, str, int]]:
    return sorted((p.partner_id, p.location, p.quantity // PIECE) for p in pieces(company, order_id))


# --- stock ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["shop", "meyer"])
def test_two_lines_of_one_order_share_the_stock_of_their_item(shop: Company, meyer: Company, whose: str) -> None:
    """Medusa issue 16502: each line was looked at alone, and together they sold what was there once."""
    owner = shop if whose == "shop" else meyer
    put(owner, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order(lines=(line("1", 7), line("2", 7))))
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 14, "live": 10, "back_ordered": 4}
    assert taken(owner) == {"DC1": 10}


def test_enough_in_sum_and_at_no_single_site(shop: Company) -> None:
    """Medusa issue 14987: the sum of the sites was enough, so the order was promised, and no site could send it."""
    put(shop, 6, "DC1")
    put(shop, 6, "DC2")
    whole = capture(shop, an_order("C1", no_split=True))
    settle(shop)
    assert balanced(shop, whole).get("live", 0) == 0
    assert taken(shop) == {}
    divided = capture(shop, an_order("C2", customer="other"))
    settle(shop)
    assert balanced(shop, divided) == {"ordered": 10, "live": 10}
    assert sum(taken(shop).values()) == 10
    assert max(taken(shop).values()) == 6


def test_a_line_over_two_sites_takes_no_more_than_was_ordered(shop: Company, meyer: Company) -> None:
    """Vendure issue 4030: a line over two sites took its whole quantity at each."""
    put(shop, 6, "DC1")
    put(shop, 3, "DC2")
    put(meyer, 100, "W")
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    assert sum(count for _, _, count in placed(shop, order_id)) == 10
    assert sum(taken(shop).values()) + sum(taken(meyer).values()) == 10
    rows = shop.read(lambda tx: tx.reservations.of_pieces([p.piece_id for p in pieces(shop, order_id)]))
    assert sum(row.granted for row in rows) == 10 * PIECE


def test_the_hold_sits_where_the_goods_are_sent_from(shop: Company, meyer: Company) -> None:
    """Spree: stock was held at one site, and the router let another one send."""
    put(shop, 4, "DC1")
    put(shop, 5, "DC2")
    put(meyer, 1, "W1")
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    found = placed(shop, order_id)
    assert sum(count for _, _, count in found) == 10
    assert taken(shop) == {place: count for owner, place, count in found if not owner}
    assert taken(meyer) == {place: count for owner, place, count in found if owner}
    # Every own piece has an order of its own place, and takes nothing anywhere else.
    for piece in pieces(shop, order_id):
        if not piece.partner_id:
            assert piece.order_id is not None
            assert _ledger_of(shop, piece) == [(piece.location, piece.quantity)]


def _ledger_of(company: Company, piece: PieceRow) -> list[tuple[str, int]]:
    rows = company.read(lambda tx: tx.reservations.of_orders([piece.order_id or 0]))
    return [(row.location, row.held) for row in rows if row.held]


def test_boxes_are_not_counted_as_pieces(shop: Company, meyer: Company) -> None:
    """PURIS issue 444: figures in other units were added up as if they were the same."""
    put(shop, 4)
    (row,) = shop.read(lambda tx: tx.stock.figures([ITEM]))
    shop.do(put_figures, [row._replace(location="DC2", on_hand=50 * PIECE, available=50 * PIECE, unit="XBX")])
    order_id = capture(shop, an_order())
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 4, "back_ordered": 6}
    assert taken(shop) == {"DC1": 4}
    told = shop.read(lambda tx: customer_status.why(tx, "C1"))["decisions"]
    assert "1 XBX cannot be converted to C62" in str(told[0])


# --- orders -----------------------------------------------------------------------------------------------------------


def test_only_orders_to_one_address_day_and_currency_are_put_together(shop: Company) -> None:
    """ERPNext issue 48779: orders of one customer were merged though they went to different addresses."""
    orchestration(shop, merge_minutes=10)
    put(shop, 100)
    day = shop.clock.now().date() + timedelta(days=9)
    other = PersonalData(entries=(PersonalEntry(key="k1", name="Ada", address=Address(street="Other 2")),))
    asked: list[tuple[dict[str, Any], PersonalData | None]] = [
        ({}, None),
        ({"currency": "USD"}, None),
        ({"dates": (QualifiedDate(qualifier=DateQualifier.DELIVER, on=day),)}, None),
        ({"postal_code": "80331"}, None),
        ({}, other),
        ({"no_merge": True}, None),
        ({"customer": "cust-2"}, None),
    ]
    ids = [
        capture(shop, an_order(f"C{place}", 2, **changes), *([personal] if personal else []))
        for place, (changes, personal) in enumerate(asked)
    ]
    same = capture(shop, an_order("SAME", 3))
    shop.clock.move(minutes=10)
    settle(shop)
    assert state(shop, same).state == "merged"
    assert [state(shop, one).state for one in ids] == ["active"] * len(ids)
    assert [balanced(shop, one)["ordered"] for one in ids] == [5, 2, 2, 2, 2, 2, 2]


def test_back_ordered_pieces_outlive_every_split(shop: Company, meyer: Company, braun: Company) -> None:
    """Solidus issue 5669: back-ordered units were lost when a shipment was split."""
    put(shop, 2)
    put(meyer, 5)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 7, "back_ordered": 3}
    # The supplier does with two, and rejects three: the back order grows by these.
    answer(meyer, received(meyer), (ScheduleOutcome.ACCEPTED, 2), (ScheduleOutcome.REJECTED, 3))
    put(meyer, 0)
    settle(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 4, "back_ordered": 6}
    # What comes in is less than what waits: the back order is split, and the rest goes on waiting.
    shop.clock.move(hours=1)
    put(braun, 4)
    connect(shop, braun)
    settle(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 8, "back_ordered": 2}


def test_the_first_of_three_companies_sees_what_was_delivered(shop: Company, meyer: Company, braun: Company) -> None:
    """Odoo pull request 254618: in a drop ship over three companies the delivered quantity stayed at zero."""
    swap(meyer, braun)
    virtual = {"VIRTUAL": SiteSettings(ships=False)}
    settings(meyer, partners={shop.id: PartnerSettings(orders="orchestrate")}, sites=virtual)
    put(meyer, 10, "VIRTUAL")  # what Meyer promises, and Braun sends
    settings(braun, sharing=meyer.ctx.settings.sharing)
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    everybody(shop, meyer, braun)
    row = received(braun)
    accept(braun, row)
    despatch(braun, row, 4, "D1")
    despatch(braun, row, 6, "D2")
    deliver(braun, row, "D1")
    everybody(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 4, "live": 6}
    (told,) = shop.read(lambda tx: customer_status.show(tx, shop.ctx, "C1"))
    (shown,) = told["lines"]
    assert (shown["ordered"], shown["delivered"], shown["under_way"]) == ("10", "4", "6")
    later = DeliveryStatus(
        header=DocumentHeader(number="LATER"),
        despatch=DocumentKey(issuer=braun.id, type="DespatchAdvice", number="D2"),
        order=key(row),
        event=DeliveryEvent.DELIVERED,
        occurred_at=braun.clock.now(),
    )
    say(braun, meyer.id, later)
    everybody(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    assert state(shop, order_id).state == "done"


def everybody(shop: Company, meyer: Company, braun: Company) -> None:
    for _ in range(4):
        settle(meyer, braun)
        settle(shop, meyer)


# --- rules ------------------------------------------------------------------------------------------------------------


def test_a_rule_for_everything_is_told(shop: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule without conditions decided every order, those after it none, and nobody was told."""
    home = tmp_path / "home"
    assert main(["--home", str(home), "init", "--name", "Harbour"]) == 0
    (home / RULES_FILE).write_text(
        '[[rules]]\nname = "gifts"\nstrategy = "one"\n[[rules]]\nname = "rest"\notherwise = true\nstrategy = "two"\n'
        "[strategies.one]\n[strategies.two]\n"
    )
    capsys.readouterr()
    for command in (["rules", "check"], ["config", "check"]):
        main(["--home", str(home), *command])
        said = capsys.readouterr()
        assert "'gifts' has no condition and holds for everything" in said.out + said.err
    # Every order says which rule decided it.
    settings(shop, home=home)
    put(shop, 10)
    capture(shop, an_order())
    settle(shop)
    told = shop.read(lambda tx: customer_status.why(tx, "C1"))["decisions"]
    assert [one["strategy"] for one in told] == ["gifts/one"]


# --- the exchange -----------------------------------------------------------------------------------------------------


def the_order(number: str = "PO-1") -> Submission:
    lines = (OrderLine(line_id="1", item=ItemRef(gtin=GTIN), quantity=Quantity(Decimal(3), "C62")),)
    return Submission(Order(header=DocumentHeader(number=number), order_kind=OrderKind.STANDARD, lines=lines))


def batch_of(sender: Company, receiver: Company) -> Any:
    after = 0
    for one, other in ((sender, receiver), (receiver, sender)):
        opening = one.do(exchange.open_session, other.id, other.do(exchange.hello, one.id))
        assert isinstance(opening, exchange.Opening)
        if one is sender:
            after = opening.resume_after
    formed = sender.do(exchange.next_batch, receiver.id, after)
    assert formed is not None
    return formed[0]


def test_what_is_sent_again_is_the_same_message(shop: Company, meyer: Company) -> None:
    """OpenAS2, django-pyas2, phoss-ap: sent again under a new id, nobody can see that it is a duplicate."""
    shop.do(submit, meyer.id, [the_order()])
    first = batch_of(shop, meyer)
    # The line is cut. More waits by now, and what had left comes first, as it was.
    shop.do(submit, meyer.id, [the_order("PO-2")])
    again = batch_of(shop, meyer)
    assert (again.head, again.entries) == (first.head, first.entries)
    # Both copies arrive after all: one effect, one receipt.
    receipts = []
    for batch in (first, again):
        taken = meyer.do(exchange.take_batch, shop.id, batch)
        assert isinstance(taken, exchange.Taken)
        receipts.append(taken.receipt)
    assert receipts[0] == receipts[1]
    assert [row.number for row in meyer.read(lambda tx: tx.orders.search(limit=9))] == ["PO-1"]


def test_a_partner_that_is_away_for_a_month_is_not_given_up(shop: Company, meyer: Company) -> None:
    """phoss-ap gave up after about nine minutes, EDC after about two."""
    shop.do(submit, meyer.id, [the_order()])
    for _ in range(30):
        shop.clock.move(days=1)
        work(shop)
    meyer.clock.at = shop.clock.at
    connect(shop, meyer)
    assert [row.number for row in meyer.read(lambda tx: tx.orders.search(limit=9))] == ["PO-1"]
    (row,) = shop.read(lambda tx: tx.documents.search(type="Order", partner_id=meyer.id))
    assert row.state == "taken"


class Crash(Exception):
    """The process ends here."""


def test_no_receipt_leaves_before_the_effect_is_stored(shop: Company, meyer: Company) -> None:
    """Acknowledged before the effect was stored; Holodeck: a first copy, never finished, kept the second one out."""
    meyer.do(submit, shop.id, [the_order()])
    batch = batch_of(meyer, shop)

    def take_and_die(tx: Any) -> None:
        taken = exchange.take_batch(tx, shop.ctx, meyer.id, batch)
        assert isinstance(taken, exchange.Taken)
        raise Crash

    with pytest.raises(Crash):
        shop.store.write(take_and_die)
    # Nothing of it stands, no receipt either, and the first copy does not keep the second one out.
    assert shop.read(lambda tx: tx.orders.search(limit=9)) == []
    assert batch_of(meyer, shop).head == batch.head
    connect(meyer, shop)
    assert [row.number for row in shop.read(lambda tx: tx.orders.search(limit=9))] == ["PO-1"]


def test_a_duplicate_customer_order_counts_once(shop: Company) -> None:
    """The same order from its channel again, under the same number, has no second effect on stock or counts."""
    put(shop, 10)
    order_id = capture(shop, an_order())
    settle(shop)
    assert shop.do(customer_orders.capture, an_order()).state in ("duplicate", "refused")
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert taken(shop) == {"DC1": 10}
