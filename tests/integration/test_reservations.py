"""Holds between two companies over real links, the grantor on each engine: granted, extended, taken up, given back."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from node import wire
from node.app.documents.submit import Submission, submit
from node.app.stock import availability, reservations
from node.app.stock.requested import take_response
from node.config import (
    PartnerSettings,
    ReservationSettings,
)
from node.core.document.common import ItemRef, Reason
from node.core.document.reservation import ReservationOutcome, ReservationResponse, ReservationResponseLine
from node.errors import RefusedError
from tests.companies import Company, connect, swap
from tests.integration import holding_pair
from tests.integration.holding_pair import PIECE, ask, free, give, held, order, put, raw_request, settings, wanted

buyer, seller, linked = holding_pair.buyer, holding_pair.seller, holding_pair.linked


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


def test_why_a_hold_was_not_extended_is_told(buyer: Company, seller: Company) -> None:
    """Whether it lasts as long as it may, the partner refuses the request itself, or knows of no such hold."""
    settings(seller, reservations=ReservationSettings(hold_seconds_max=1_000))
    (row,) = ask(buyer, seller, wanted(2), seconds=5_000)
    buyer.do(reservations.extend, row.reservation_id, buyer.clock.now() + timedelta(seconds=9_000))
    connect(buyer, seller)
    assert held(buyer, row.reservation_id).reason == "no hold lasts longer than it does already"

    buyer.do(reservations.extend, row.reservation_id, buyer.clock.now() + timedelta(seconds=9_000))
    (document, *_) = buyer.read(lambda tx: tx.documents.search(type="ReservationRequest", limit=1))
    reasons = json.dumps([{"code": "stale", "text": "it came too late"}])
    refused = document._replace(state="refused", reasons=reasons)
    buyer.do(reservations.undo_refused, seller.id, [refused])
    assert held(buyer, row.reservation_id).reason == "it was not extended: it came too late"
    assert held(buyer, row.reservation_id).state == "granted"

    line = ReservationResponseLine(
        line_id="1",
        reservation_id=row.reservation_id,
        outcome=ReservationOutcome.REFUSED,
        reason=Reason(code="unknown-reservation", text="there is no such hold of yours"),
    )
    buyer.do(take_response, seller.id, ReservationResponse(lines=(line,)))
    assert held(buyer, row.reservation_id).reason == "it was not extended: there is no such hold of yours"


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


def test_the_same_hold_asked_for_again_is_the_same_hold(buyer: Company, seller: Company) -> None:
    for number in ("A", "B"):
        give(buyer, seller, raw_request(number, ["hold-1"]))
    assert free(seller) == 8
    assert buyer.do(submit, seller.id, [Submission(raw_request("A", ["hold-1"]))])[0].state == "duplicate"
    changed = buyer.do(submit, seller.id, [Submission(raw_request("A", ["hold-1"], 5))])[0]
    assert [finding.rule for finding in changed.findings] == ["same-number-other-content"]
