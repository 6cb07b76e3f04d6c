"""Holds between two companies over real links, the grantor on each engine: granted, extended, taken up, given back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.documents.submit import Submission, Submitted, submit
from node.app.links import partners
from node.app.stock import allocation, availability, inventory, ledger, reservations
from node.app.stock.reservations import Wanted
from node.config import (
    PartnerSettings,
    PromisingSettings,
    ReservationSettings,
    SafetyRule,
    SharingRule,
    SharingSettings,
)
from node.core import link
from node.core.document import Document
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, LineKind, Usage
from node.core.document.fulfilment import DespatchAdvice, DespatchLine
from node.core.document.order import Order, OrderLine, OrderResponse, ResponseOutcome
from node.core.document.reservation import (
    ReservationAction,
    ReservationMode,
    ReservationRelease,
    ReservationReleaseLine,
    ReservationRequest,
    ReservationRequestLine,
)
from node.core.quantity import Quantity
from node.core.reservation_rows import ReservationRow
from node.core.rows import StockRow
from node.errors import RefusedError
from tests.companies import Company, connect, swap

PIECE = 1_000_000
BEAR = ItemRef(seller_number="BEAR")


@pytest.fixture
def buyer(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path, "Toys and More")
    yield made
    made.store.close()


@pytest.fixture
def seller(tmp_path: Path, store_url: str) -> Iterator[Company]:
    made = Company(tmp_path, "Meyer Spielwaren", "0088:4012345000009", store_url)
    yield made
    made.store.close()


@pytest.fixture(autouse=True)
def linked(buyer: Company, seller: Company) -> None:
    swap(buyer, seller)
    connect(buyer, seller)
    settings(seller, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    put(seller, "BEAR", 10)


def settings(company: Company, **changes: Any) -> None:
    company.ctx = replace(company.ctx, settings=replace(company.ctx.settings, **changes))


def own_figure(owner: str, item: str, available: int, location: str, as_of: int) -> StockRow:
    return StockRow(
        item_key=f"no:{owner}:{item}",
        partner_id="",
        snapshot=0,
        location=location,
        pool="",
        status="AVAILABLE",
        figure="EXACT",
        on_hand=available * PIECE,
        available=available * PIECE,
        band_end=None,
        unit="C62",
        gtin="",
        number=item,
        expected="",
        as_of=as_of,
    )


def put(company: Company, item: str, available: int, location: str = "DC1", basis: str = "") -> None:
    """The ERP tells a figure, as of now."""
    figure = own_figure(company.id, item, available, location, wire.micros(company.clock.now()))
    company.do(inventory.put_own, [figure], basis)


def wanted(count: int, item: ItemRef = BEAR, location: str = "", unit: str = "C62") -> Wanted:
    return Wanted(item=item, quantity=Quantity(Decimal(count), unit), location=location, piece_id=7, item_key="ours")


def ask(
    buyer: Company, seller: Company, *lines: Wanted, mode: str = "partial", seconds: float = 600
) -> list[ReservationRow]:
    """Request, let it travel, and return our rows as they are then."""
    until = buyer.clock.now() + timedelta(seconds=seconds)
    made = buyer.do(reservations.request, seller.id, list(lines), hold_until=until, mode=mode)
    connect(buyer, seller)
    return [held(buyer, row.reservation_id) for row in made.rows]


def held(company: Company, reservation_id: str) -> ReservationRow:
    rows = company.read(lambda tx: tx.reservations.get(reservation_id))
    assert len(rows) == 1
    return rows[0]


def free(seller: Company, item: str = "BEAR") -> int:
    """What is left of the figure, in pieces; the books agree every time somebody looks."""
    assert seller.read(lambda tx: ledger.verify(tx)) == []
    rows = seller.read(lambda tx: ledger.net(tx, tx.stock.figures([f"no:{seller.id}:{item}"])))
    return sum(row.available or 0 for row in rows if row.partner_id == "") // PIECE


def order(number: str, count: int, reservation_id: str = "", line_id: str = "1", revision: int = 0) -> Order:
    line = OrderLine(
        line_id=line_id,
        line_kind=LineKind.GOODS,
        item=BEAR,
        quantity=Quantity(Decimal(count), "C62"),
        reservation_id=reservation_id,
    )
    return Order(header=DocumentHeader(number=number, revision=revision), currency="EUR", lines=(line,))


def give(sender: Company, receiver: Company, document: Document) -> Submitted:
    done = sender.do(submit, receiver.id, [Submission(document)])[0]
    assert done.state == "waiting", done
    connect(sender, receiver)
    return done


def test_a_hold_is_granted_shown_to_both_and_ends_by_itself(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(4))
    assert (row.state, row.granted, row.location) == ("granted", 4 * PIECE, "DC1")
    given = held(seller, row.reservation_id)
    assert (given.role, given.partner_id, given.held) == ("grantor", buyer.id, 4 * PIECE)
    assert given.expires_at - row.expires_at == 30 * PIECE  # the requester keeps a margin
    assert free(seller) == 6
    told = availability.figures
    assert [one.available for one in buyer.do(told, [f"no:{seller.id}:BEAR"])] == [6 * PIECE]  # and partners hear
    buyer.clock.move(seconds=571)
    seller.clock.move(seconds=571)
    assert buyer.do(reservations.expire_due) == 1
    assert seller.do(reservations.expire_due) == 0
    assert free(seller) == 6
    seller.clock.move(seconds=29)
    assert seller.do(reservations.expire_due) == 1
    assert (held(buyer, row.reservation_id).state, held(seller, row.reservation_id).state) == ("expired", "expired")
    assert free(seller) == 10


def test_an_expired_hold_counts_in_no_decision_even_before_anybody_tidies_up(buyer: Company, seller: Company) -> None:
    (first,) = ask(buyer, seller, wanted(10))
    assert first.state == "granted"
    for company in (buyer, seller):
        company.clock.move(seconds=600)
    (second,) = ask(buyer, seller, wanted(10))
    assert second.state == "granted"
    assert held(seller, first.reservation_id).state == "expired"


def test_partial_gives_what_there_is_and_complete_all_or_nothing(buyer: Company, seller: Company) -> None:
    put(seller, "CAT", 3)
    cat = ItemRef(seller_number="CAT")
    whole = ask(buyer, seller, wanted(4), wanted(4, cat), mode="complete")
    assert [(row.state, row.reason) for row in whole] == [
        ("refused", "another line cannot be held, and all or nothing was asked for"),
        ("refused", "there is not enough of it"),
    ]
    assert (free(seller), free(seller, "CAT")) == (10, 3)
    some = ask(buyer, seller, wanted(4), wanted(4, cat))
    assert [(row.state, row.granted) for row in some] == [("granted", 4 * PIECE), ("partly_granted", 3 * PIECE)]
    assert (free(seller), free(seller, "CAT")) == (6, 0)


def test_lines_of_one_item_share_its_stock_and_one_place_must_have_it(buyer: Company, seller: Company) -> None:
    put(seller, "BEAR", 8, "DC2")
    rows = ask(buyer, seller, wanted(8), wanted(8), wanted(8))
    assert sorted(row.granted for row in rows) == [2 * PIECE, 8 * PIECE, 8 * PIECE]
    assert {row.location for row in rows if row.granted == 8 * PIECE} == {"DC1", "DC2"}
    assert free(seller) == 0
    (eleven,) = ask(buyer, seller, wanted(11, location="DC1"), mode="complete")
    assert eleven.state == "refused"


def test_an_order_takes_its_hold_up_once(buyer: Company, seller: Company) -> None:
    settings(seller, partners={buyer.id: PartnerSettings(auto_accept=True)})
    (row,) = ask(buyer, seller, wanted(6))
    give(buyer, seller, order("PO-1", 4, row.reservation_id))
    assert held(buyer, row.reservation_id).state == "confirmed"
    given = held(seller, row.reservation_id)
    assert (given.state, given.held, given.line_id) == ("confirmed", 4 * PIECE, "1")
    assert free(seller) == 6  # what the order did not take is free again
    give(buyer, seller, order("PO-2", 4, row.reservation_id))  # it names a hold that is gone
    assert held(seller, row.reservation_id).held == 4 * PIECE
    assert free(seller) == 2
    for company in (buyer, seller):
        company.clock.move(days=2)
    seller.do(reservations.expire_due)
    assert free(seller) == 2  # what orders took up does not expire


def test_an_order_on_an_expired_or_foreign_hold_takes_what_is_there(
    buyer: Company, seller: Company, tmp_path: Path
) -> None:
    settings(seller, partners={buyer.id: PartnerSettings(auto_accept=True)})
    other = Company(tmp_path, "Spielkiste")
    swap(other, seller)
    connect(other, seller)
    (foreign,) = ask(other, seller, wanted(7))
    give(buyer, seller, order("PO-1", 5, foreign.reservation_id))
    assert held(seller, foreign.reservation_id).state == "granted"
    assert free(seller) == 0
    events = buyer.read(lambda tx: tx.orders.events([tx.orders.search(number="PO-1")[0].order_id]))
    assert sorted((event.event, event.quantity) for event in events) == [
        ("accepted", 3 * PIECE),
        ("back_ordered", 2 * PIECE),
    ]


def test_a_hold_is_extended_as_often_as_agreed(buyer: Company, seller: Company) -> None:
    settings(seller, reservations=ReservationSettings(extensions_max=1, hold_seconds_max=1_000))
    (row,) = ask(buyer, seller, wanted(2), seconds=5_000)
    began = buyer.clock.now()
    assert held(seller, row.reservation_id).expires_at == wire.micros(began + timedelta(seconds=1_000))
    for company in (buyer, seller):
        company.clock.move(seconds=100)
    for seconds in (300, 900):  # the first is sooner than what is granted, the second later
        buyer.do(reservations.extend, row.reservation_id, began + timedelta(seconds=200 + seconds))
        connect(buyer, seller)
    until = wire.micros(began + timedelta(seconds=1_100))
    assert held(seller, row.reservation_id).expires_at == until
    assert held(buyer, row.reservation_id).expires_at == until - 30 * PIECE
    buyer.clock.move(seconds=100)
    seller.clock.move(seconds=100)
    buyer.do(reservations.extend, row.reservation_id, began + timedelta(seconds=9_000))
    connect(buyer, seller)
    assert held(seller, row.reservation_id).expires_at == until
    assert held(buyer, row.reservation_id).reason == "it has been extended as often as is agreed"


def test_a_hold_is_given_back_once(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(5))
    for _ in range(2):
        assert buyer.do(reservations.release, row.reservation_id, "not needed").state == "released"
        connect(buyer, seller)
    assert held(seller, row.reservation_id).state == "released"
    assert free(seller) == 10
    with pytest.raises(RefusedError) as refused:
        buyer.do(reservations.extend, row.reservation_id, buyer.clock.now())
    assert refused.value.code == "not-held"


def test_the_grantor_can_take_a_hold_back(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(5))
    seller.do(reservations.release, row.reservation_id, "the roof leaks")
    connect(buyer, seller)
    assert held(buyer, row.reservation_id).state == "released"
    assert held(buyer, row.reservation_id).reason == "the roof leaks"
    assert free(seller) == 10


def test_a_grant_that_nobody_wants_any_more_is_given_back_by_itself(buyer: Company, seller: Company) -> None:
    until = buyer.clock.now() + timedelta(seconds=60)
    made = buyer.do(reservations.request, seller.id, [wanted(5)], hold_until=until)
    buyer.clock.move(seconds=40)  # its margin has passed; the grantor's clock is slow
    assert buyer.do(reservations.expire_due) == 1
    connect(buyer, seller)
    (row,) = made.rows
    assert held(buyer, row.reservation_id).state == "expired"
    assert held(seller, row.reservation_id).state == "released"
    assert free(seller) == 10


def test_a_stale_request_is_refused_by_the_grantors_clock(buyer: Company, seller: Company) -> None:
    until = buyer.clock.now() + timedelta(hours=1)
    made = buyer.do(reservations.request, seller.id, [wanted(5)], hold_until=until)
    seller.clock.move(seconds=121)
    connect(buyer, seller)
    assert held(buyer, made.rows[0].reservation_id).state == "refused"
    assert free(seller) == 10
    assert seller.read(lambda tx: tx.reservations.get(made.rows[0].reservation_id)) == []


def test_a_request_withdrawn_before_its_answer_leaves_nothing_held(buyer: Company, seller: Company) -> None:
    until = buyer.clock.now() + timedelta(hours=1)
    made = buyer.do(reservations.request, seller.id, [wanted(5)], hold_until=until)
    assert buyer.do(reservations.release, made.rows[0].reservation_id, "found elsewhere").state == "withdrawn"
    connect(buyer, seller)
    assert held(seller, made.rows[0].reservation_id).state == "released"
    assert free(seller) == 10


def raw_request(number: str, ids: list[str], count: int = 2, **changes: Any) -> ReservationRequest:
    lines = tuple(
        ReservationRequestLine(
            line_id=str(place), reservation_id=one, item=BEAR, quantity=Quantity(Decimal(count), "C62")
        )
        for place, one in enumerate(ids)
    )
    made = ReservationRequest(
        header=DocumentHeader(number=number),
        action=ReservationAction.HOLD,
        mode=ReservationMode.PARTIAL,
        hold_until=datetime(2026, 5, 4, 9, tzinfo=wire.instant(0).tzinfo),
        lines=lines,
    )
    return replace(made, **changes)


def test_the_same_hold_asked_for_again_is_the_same_hold(buyer: Company, seller: Company) -> None:
    for number in ("A", "B"):
        give(buyer, seller, raw_request(number, ["hold-1"]))
    assert free(seller) == 8
    assert buyer.do(submit, seller.id, [Submission(raw_request("A", ["hold-1"]))])[0].state == "duplicate"
    changed = buyer.do(submit, seller.id, [Submission(raw_request("A", ["hold-1"], 5))])[0]
    assert [finding.rule for finding in changed.findings] == ["same-number-other-content"]


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (raw_request("A", ["x"], 0), "quantity"),
        (raw_request("A", ["x"], 10**11), "quantity"),
        (raw_request("A", ["x", "x"]), "reservation-id-twice"),
        (raw_request("A", [""]), "reservation-id"),
        (raw_request("A", []), "no-lines"),
        (raw_request("A", ["x"], mode=ReservationMode.UNSPECIFIED), "mode"),
        (raw_request("A", ["x"], action=ReservationAction.UNSPECIFIED), "action"),
        (raw_request("A", ["x"], hold_until=None), "date-missing"),
        (ReservationRelease(header=DocumentHeader(number="A")), "no-lines"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(
    document: Document, rule: str, buyer: Company, seller: Company
) -> None:
    done = buyer.do(submit, seller.id, [Submission(document)])[0]
    assert (done.state, done.findings[0].rule) == ("refused", rule)


def test_nobody_extends_or_releases_anothers_hold(buyer: Company, seller: Company, tmp_path: Path) -> None:
    other = Company(tmp_path, "Spielkiste")
    swap(other, seller)
    connect(other, seller)
    (row,) = ask(buyer, seller, wanted(5))
    name = row.reservation_id
    back = ReservationRelease(
        header=DocumentHeader(number="R"), lines=(ReservationReleaseLine(line_id="1", reservation_id=name),)
    )
    give(other, seller, back)
    longer = raw_request("E", [name], action=ReservationAction.EXTEND, hold_until=buyer.clock.now() + timedelta(days=1))
    give(other, seller, longer)
    given = held(seller, name)
    assert (given.state, given.expires_at) == ("granted", row.expires_at + 30 * PIECE)
    assert free(seller) == 5


def test_a_partner_holds_no_more_than_is_agreed(buyer: Company, seller: Company) -> None:
    settings(seller, partners={buyer.id: PartnerSettings(hold_pieces_max=7)})
    first = ask(buyer, seller, wanted(5), wanted(5))
    assert [row.granted // PIECE for row in first] == [5, 2]
    (more,) = ask(buyer, seller, wanted(1))
    assert (more.state, more.reason) == ("refused", "with it you would hold more than is agreed")
    buyer.do(reservations.release, first[0].reservation_id)
    (again,) = ask(buyer, seller, wanted(9))
    assert again.granted == 5 * PIECE


def figure_told(buyer: Company, seller: Company) -> list[int | None]:
    question = link.AvailabilityQuery(items=(ItemRef(seller_number="BEAR"),))
    answer = seller.do(availability.answer, buyer.id, question)
    return [int(line.available) if line.available is not None else None for line in answer.lines]


@pytest.mark.parametrize(
    ("rule", "told", "most"),
    [
        (SharingRule(figure="capped", cap=3), [3], 3),
        (SharingRule(figure="band", bands=(0, 4, 8, 20)), [8], 8),
        (SharingRule(figure="yes_no"), [1], 1),
        (SharingRule(figure="exact", reserve_percent=50), [5], 5),
    ],
)
def test_holds_tell_no_more_than_figures(
    rule: SharingRule, told: list[int], most: int, buyer: Company, seller: Company
) -> None:
    """However a partner asks, one by one or all at once: what it holds together is what it is told."""
    settings(seller, sharing=SharingSettings(rules=(rule,)))
    assert figure_told(buyer, seller) == told
    (much,) = ask(buyer, seller, wanted(10))
    assert much.granted == most * PIECE
    if rule.figure != "exact":
        assert figure_told(buyer, seller) == told  # its own holds do not move what it is told
    buyer.do(reservations.release, much.reservation_id)
    connect(buyer, seller)
    one_by_one = [ask(buyer, seller, wanted(1))[0].granted // PIECE for _ in range(10)]
    assert sum(one_by_one) == most


def test_a_hidden_item_is_refused_like_one_that_is_not_there(buyer: Company, seller: Company) -> None:
    settings(seller, sharing=SharingSettings(rules=()))
    rows = ask(buyer, seller, wanted(1), wanted(1, ItemRef(seller_number="NO-SUCH-THING")))
    assert {(row.state, row.reason, row.location) for row in rows} == {
        ("refused", "no such item is offered to you here", "")
    }


def test_tests_hold_nothing_once_somebody_relies_on_the_figures(
    buyer: Company, seller: Company, tmp_path: Path
) -> None:
    third = Company(tmp_path, "Spielkiste")
    swap(third, seller)
    connect(third, seller)
    for one, other in ((third, seller), (seller, third)):
        one.do(partners.go_live, other.id)
    connect(third, seller)
    (row,) = ask(buyer, seller, wanted(1))
    assert row.state == "refused"
    assert ask(third, seller, wanted(1))[0].state == "granted"


def test_net_figures_take_over_what_the_erp_has_posted(buyer: Company, seller: Company) -> None:
    put(seller, "BEAR", 10, basis="NET")
    give(buyer, seller, order("PO-1", 4))
    put(seller, "BEAR", 10)  # told before the ERP has the order
    assert free(seller) == 6
    seller.clock.move(seconds=1)
    seller.do(allocation.posted, buyer.id, replace_issuer(order("PO-1", 4), buyer))
    assert free(seller) == 6
    seller.clock.move(seconds=1)
    put(seller, "BEAR", 6)
    assert free(seller) == 6


def replace_issuer(made: Order, company: Company) -> Order:
    return replace(made, header=replace(made.header or DocumentHeader(), issuer=company.id, usage=Usage.TEST))


def despatch(number: str, buyer: Company, count: int) -> DespatchAdvice:
    key = DocumentKey(issuer=buyer.id, type="Order", number="PO-1")
    line = DespatchLine(line_id="1", order=key, order_line_id="1", item=BEAR, quantity=Quantity(Decimal(count), "C62"))
    return DespatchAdvice(header=DocumentHeader(number=number), lines=(line,))


def test_gross_figures_take_over_what_has_left(buyer: Company, seller: Company) -> None:
    put(seller, "BEAR", 10, basis="GROSS")
    give(buyer, seller, order("PO-1", 4))
    seller.clock.move(seconds=1)
    put(seller, "BEAR", 10)
    assert free(seller) == 6
    give(seller, buyer, despatch("D-1", buyer, 3))
    assert free(seller) == 6
    seller.clock.move(seconds=1)
    put(seller, "BEAR", 7)
    assert free(seller) == 6
    give(seller, buyer, despatch("D-2", buyer, 1))
    seller.clock.move(seconds=1)
    put(seller, "BEAR", 6)
    assert free(seller) == 6
    (row,) = seller.read(lambda tx: tx.reservations.search(state="reflected"))
    assert row.held == 0


def test_what_is_rejected_is_free_again(buyer: Company, seller: Company) -> None:
    give(buyer, seller, order("PO-1", 4))
    assert free(seller) == 6
    key = DocumentKey(issuer=buyer.id, type="Order", number="PO-1")
    no = OrderResponse(header=DocumentHeader(number="R-1"), order=key, outcome=ResponseOutcome.REJECTED)
    give(seller, buyer, no)
    assert free(seller) == 10


def test_safety_stock_is_given_to_nobody(buyer: Company, seller: Company) -> None:
    settings(seller, reservations=ReservationSettings(safety_stock=Decimal(4)))
    assert figure_told(buyer, seller) == [6]
    (row,) = ask(buyer, seller, wanted(10))
    assert row.granted == 6 * PIECE


def test_a_safety_rule_keeps_back_what_it_names(buyer: Company, seller: Company) -> None:
    rules = (SafetyRule(item="BE*", location="DC1", quantity=Decimal(7)), SafetyRule(quantity=Decimal(9)))
    settings(seller, promising=PromisingSettings(safety=rules))
    assert figure_told(buyer, seller) == [3]
    (row,) = ask(buyer, seller, wanted(10))
    assert row.granted == 3 * PIECE
    assert figure_told(buyer, seller) == [0]


def test_what_the_erp_sells_itself_is_measured_and_kept_back(buyer: Company, seller: Company) -> None:
    settings(seller, reservations=ReservationSettings(exposure="measured"))
    put(seller, "BEAR", 10, basis="NET")
    for figure in (9, 6, 5):
        for company in (buyer, seller):
            company.clock.move(seconds=60)
        put(seller, "BEAR", figure)
    place = (f"no:{seller.id}:BEAR", "DC1")
    assert seller.do(reservations.exposure, *place) == 3 * PIECE
    assert figure_told(buyer, seller) == [2]
    (row,) = ask(buyer, seller, wanted(5))
    assert row.granted == 2 * PIECE
    seller.clock.move(days=2)
    assert seller.do(reservations.exposure, *place) == 0


@pytest.mark.parametrize(("figure", "told"), [("exact", 3 * PIECE), ("capped", 0), ("yes_no", 0)])
def test_what_the_erp_may_sell_at_once_is_told_with_exact_figures_only(
    buyer: Company, seller: Company, figure: str, told: int
) -> None:
    rule = SharingRule(figure=figure, cap=50)
    settings(
        seller,
        reservations=ReservationSettings(exposure="measured"),
        sharing=SharingSettings(rules=(rule,)),
    )
    for left in (9, 6):
        for company in (buyer, seller):
            company.clock.move(seconds=60)
        put(seller, "BEAR", left)
    connect(buyer, seller)
    key = f"no:{seller.id}:BEAR"
    (known,) = buyer.read(lambda tx: availability.figures(tx, buyer.ctx, [key]))
    assert (known.exposed, known.reserved, known.allocated) == (told, 0, 0)
    assert [row.exposed for row in buyer.read(lambda tx: tx.stock.figures([key]))] == [told]
    question = link.AvailabilityQuery(items=(BEAR,))
    live = seller.do(availability.answer, buyer.id, question)
    assert [line.exposed for line in live.lines] == [Decimal(3) if told else None]
    (ours,) = seller.read(lambda tx: availability.figures(tx, seller.ctx, ["BEAR"]))
    assert ours.exposed == 3 * PIECE


def test_our_own_stock_is_held_confirmed_and_never_twice(seller: Company) -> None:
    place = {"item_key": f"no:{seller.id}:BEAR", "location": "DC1"}
    until = wire.micros(seller.clock.now() + timedelta(hours=1))
    own: dict[str, Any] = {**place, "unit": "C62", "customer_order": "C-1", "piece_id": 1, "until": until}
    row = seller.do(reservations.reserve_own, quantity=7 * PIECE, **own)
    assert row is not None
    assert seller.do(reservations.reserve_own, quantity=4 * PIECE, **own) is None
    key = DocumentKey(issuer=seller.id, type="Order", number="C-1")
    for _ in range(2):
        assert seller.do(reservations.confirm, row.reservation_id, key).state == "confirmed"
    assert free(seller) == 3
    with pytest.raises(RefusedError, match="taken up"):
        seller.do(reservations.release, row.reservation_id)


def test_verify_finds_a_counter_that_is_not_the_sum(buyer: Company, seller: Company) -> None:
    ask(buyer, seller, wanted(5))
    key = f"no:{seller.id}:BEAR"
    counter = seller.read(lambda tx: tx.reservations.counters([key]))[0]
    seller.store.write(lambda tx: tx.reservations.put_counters([counter._replace(reserved=4 * PIECE)]))
    (found,) = seller.read(lambda tx: ledger.verify(tx))
    assert found[:4] == (key, "DC1", 4 * PIECE, 5 * PIECE)
