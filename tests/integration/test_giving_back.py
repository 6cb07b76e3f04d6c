"""Parts of holds given back while the goods are only held: to the partner at once, the grantor on each engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node.app.documents.submit import Submission, submit
from node.app.stock import reservations
from node.config import PartnerSettings
from node.core.document.common import DocumentHeader
from node.core.document.reservation import ReservationRelease, ReservationReleaseLine
from node.core.quantity import Quantity
from node.errors import RefusedError
from tests.companies import Company, connect, swap
from tests.integration import holding_pair
from tests.integration.holding_pair import PIECE, ask, free, give, held, order, settings, wanted

buyer, seller, linked = holding_pair.buyer, holding_pair.seller, holding_pair.linked


def release(name: str, count: str, unit: str = "C62", number: str = "R-1") -> ReservationRelease:
    line = ReservationReleaseLine(line_id="1", reservation_id=name, quantity=Quantity(Decimal(count), unit))
    return ReservationRelease(header=DocumentHeader(number=number), lines=(line,))


def both(buyer: Company, seller: Company, name: str) -> tuple[str, int, str, int, int]:
    """State and pieces as each of them tells, and what the hold takes off the figure."""
    ours, theirs = held(buyer, name), held(seller, name)
    return (ours.state, ours.granted // PIECE, theirs.state, theirs.granted // PIECE, theirs.held // PIECE)


def test_a_part_given_back_is_free_at_once_and_the_rest_stays_held(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(8))
    less = buyer.do(reservations.release_part, row.reservation_id, 3 * PIECE, "three are not needed")
    assert (less.state, less.granted, less.quantity) == ("granted", 5 * PIECE, 8 * PIECE)
    assert free(seller) == 2  # it has not travelled yet
    connect(buyer, seller)
    assert both(buyer, seller, row.reservation_id) == ("granted", 5, "granted", 5, 5)
    assert free(seller) == 5
    (other,) = ask(buyer, seller, wanted(5))
    assert other.state == "granted"
    give(buyer, seller, order("PO-1", 5, row.reservation_id))
    assert both(buyer, seller, row.reservation_id) == ("confirmed", 5, "confirmed", 5, 5)
    with pytest.raises(RefusedError) as refused:
        buyer.do(reservations.release_part, row.reservation_id, PIECE)
    assert refused.value.code == "too-late"


def test_what_is_held_partly_shrinks_too_and_ends_with_its_last_piece(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(12))
    for part in (4, 5):
        buyer.do(reservations.release_part, row.reservation_id, part * PIECE)
    connect(buyer, seller)
    assert both(buyer, seller, row.reservation_id) == ("partly_granted", 1, "partly_granted", 1, 1)
    assert buyer.do(reservations.release_part, row.reservation_id, PIECE).state == "released"
    connect(buyer, seller)
    assert held(seller, row.reservation_id).state == "released"
    assert free(seller) == 10


def test_what_is_only_asked_for_is_given_back_when_more_is_granted_than_is_still_wanted(
    buyer: Company, seller: Company
) -> None:
    until = buyer.clock.now() + timedelta(seconds=600)
    made = buyer.do(reservations.request, seller.id, [wanted(9), wanted(1)], hold_until=until, mode="complete")
    name = made.rows[0].reservation_id
    asked = buyer.do(reservations.release_part, name, 5 * PIECE)
    assert (asked.state, asked.quantity) == ("requested", 4 * PIECE)
    connect(buyer, seller)
    assert both(buyer, seller, name) == ("granted", 4, "granted", 4, 4)
    assert both(buyer, seller, made.rows[1].reservation_id) == ("granted", 1, "granted", 1, 1)
    assert free(seller) == 5


def test_less_than_is_still_wanted_is_kept_whole(buyer: Company, seller: Company) -> None:
    until = buyer.clock.now() + timedelta(seconds=600)
    made = buyer.do(reservations.request, seller.id, [wanted(20)], hold_until=until)
    name = made.rows[0].reservation_id
    buyer.do(reservations.release_part, name, 5 * PIECE)
    connect(buyer, seller)
    assert both(buyer, seller, name) == ("partly_granted", 10, "partly_granted", 10, 10)


def test_an_order_for_less_lets_both_books_tell_the_same(buyer: Company, seller: Company) -> None:
    settings(seller, partners={buyer.id: PartnerSettings(auto_accept=True)})
    (row,) = ask(buyer, seller, wanted(6))
    give(buyer, seller, order("PO-1", 4, row.reservation_id))
    assert both(buyer, seller, row.reservation_id) == ("confirmed", 4, "confirmed", 4, 4)
    assert free(seller) == 6


def test_a_release_of_a_part_that_an_order_overtakes_changes_nothing(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    give(buyer, seller, order("PO-1", 4, row.reservation_id))
    give(buyer, seller, release(row.reservation_id, "2"))
    assert held(seller, row.reservation_id).held == 4 * PIECE
    assert free(seller) == 6


def test_more_than_is_left_gives_back_what_is_left(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(8))
    give(buyer, seller, release(row.reservation_id, "5"))
    assert free(seller) == 7
    give(buyer, seller, release(row.reservation_id, "5", number="R-2"))
    assert held(seller, row.reservation_id).state == "released"
    assert free(seller) == 10


@pytest.mark.parametrize(
    ("count", "unit", "rule"),
    [("0", "C62", "quantity"), ("-2", "C62", "quantity"), ("10000000000", "C62", "quantity")],
)
def test_nothing_less_than_nothing_and_absurd_parts_are_refused_before_they_leave(
    buyer: Company, seller: Company, count: str, unit: str, rule: str
) -> None:
    (row,) = ask(buyer, seller, wanted(8))
    done = buyer.do(submit, seller.id, [Submission(release(row.reservation_id, count, unit))])[0]
    assert (done.state, [(one.rule, one.path) for one in done.findings]) == ("refused", [(rule, "lines[0].quantity")])


@pytest.mark.parametrize(("count", "unit", "rule"), [("9", "C62", "more-than-held"), ("1", "KGM", "unlike-units")])
def test_a_part_of_what_was_never_held_is_refused_by_the_grantor(
    buyer: Company, seller: Company, count: str, unit: str, rule: str
) -> None:
    (row,) = ask(buyer, seller, wanted(8))
    done = give(buyer, seller, release(row.reservation_id, count, unit))
    assert done.document_id is not None
    sent = buyer.read(lambda tx: tx.documents.get(done.document_id or 0))
    assert sent is not None
    assert sent.state == "refused"
    assert rule in sent.reasons
    assert both(buyer, seller, row.reservation_id) == ("granted", 8, "granted", 8, 8)
    assert free(seller) == 2


@pytest.mark.parametrize(("count", "code"), [(0, "quantity"), (-1, "quantity"), (9, "more-than-held")])
def test_a_part_that_makes_no_sense_is_told_by_name(buyer: Company, seller: Company, count: int, code: str) -> None:
    (row,) = ask(buyer, seller, wanted(8))
    with pytest.raises(RefusedError) as refused:
        buyer.do(reservations.release_part, row.reservation_id, count * PIECE)
    assert refused.value.code == code
    assert held(buyer, row.reservation_id).granted == 8 * PIECE


def test_a_hold_that_we_gave_is_taken_back_whole_or_not_at_all(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(8))
    with pytest.raises(RefusedError) as refused:
        seller.do(reservations.release_part, row.reservation_id, 3 * PIECE)
    assert refused.value.code == "whole-only"
    assert seller.do(reservations.release_part, row.reservation_id, 8 * PIECE).state == "released"


def test_nobody_gives_back_a_part_of_anothers_hold(buyer: Company, seller: Company, tmp_path: Path) -> None:
    other = Company(tmp_path, "Spielkiste")
    swap(other, seller)
    connect(other, seller)
    (row,) = ask(buyer, seller, wanted(5))
    give(other, seller, release(row.reservation_id, "2"))
    assert both(buyer, seller, row.reservation_id) == ("granted", 5, "granted", 5, 5)
    other.store.close()


def test_a_part_counts_in_the_limits_of_a_partner_no_more(buyer: Company, seller: Company) -> None:
    settings(seller, partners={buyer.id: PartnerSettings(hold_pieces_max=7)})
    (row,) = ask(buyer, seller, wanted(7))
    assert ask(buyer, seller, wanted(1))[0].state == "refused"
    buyer.do(reservations.release_part, row.reservation_id, 3 * PIECE)
    (more,) = ask(buyer, seller, wanted(5))
    assert more.granted == 3 * PIECE


def test_a_part_of_an_extended_hold_stays_extended(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, wanted(8))
    buyer.do(reservations.extend, row.reservation_id, buyer.clock.now() + timedelta(seconds=3_000))
    buyer.do(reservations.release_part, row.reservation_id, 3 * PIECE)  # it may overtake the question or its answer
    connect(buyer, seller)
    assert both(buyer, seller, row.reservation_id) == ("granted", 5, "granted", 5, 5)
    assert held(seller, row.reservation_id).extensions == 1


def test_a_hold_in_boxes_gives_boxes_back_and_frees_pieces(buyer: Company, seller: Company) -> None:
    (row,) = ask(buyer, seller, replace(wanted(3), quantity=Quantity(Decimal(3), "PR")))
    assert held(seller, row.reservation_id).held == 6 * PIECE
    buyer.do(reservations.release_part, row.reservation_id, PIECE)
    connect(buyer, seller)
    ours: Any = held(seller, row.reservation_id)
    assert (ours.granted, ours.held, ours.unit) == (2 * PIECE, 4 * PIECE, "PR")
    assert free(seller) == 6
