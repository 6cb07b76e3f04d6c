"""What holds may not do: nonsense, others' holds, more than is agreed, and telling more than figures do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from node.app.documents.submit import Submission, submit
from node.app.links import partners
from node.app.stock import reservations
from node.config import (
    PartnerSettings,
    SharingRule,
    SharingSettings,
)
from node.core.document import Document
from node.core.document.common import DocumentHeader, ItemRef
from node.core.document.reservation import (
    ReservationAction,
    ReservationMode,
    ReservationRelease,
    ReservationReleaseLine,
)
from tests.companies import Company, connect, swap
from tests.integration import holding_pair
from tests.integration.holding_pair import PIECE, ask, figure_told, free, give, held, raw_request, settings, wanted

buyer, seller, linked = holding_pair.buyer, holding_pair.seller, holding_pair.linked


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
