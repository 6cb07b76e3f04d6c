"""Distances between postal codes: known ones, parts of codes, unknown ones, and tables with bad rows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from node.core.vicinity import FINDINGS_MAX, Places, parse_places

ROWS = [
    "DE\t80331\tMünchen\tBayern\tBY\t\t\t\t\t48.1345\t11.571\t6",
    "DE\t10115\tBerlin\tBerlin\tBE\t\t\t\t\t52.5323\t13.3846\t4\n",
    "GB\tSW1A\tLondon\tEngland\tENG\t\t\t\t\t51.5\t-0.14\t4\r\n",
    "US\t10001\tNew York\tNew York\tNY\t\t\t\t\t40.7484\t-73.9967\t4",
    "FR\t75001\tParis 01\t\t\t\t\t\t\t48.86\t2.34\t5",
    "FR\t75001\tParis CEDEX\t\t\t\t\t\t\t48.88\t2.36\t5",
    "",
]


@pytest.fixture
def places() -> Places:
    made, findings = parse_places(ROWS)
    assert findings == []
    return made


def test_distance(places: Places) -> None:
    munich_berlin = places.distance_km("DE", "80331", "DE", "10115")
    assert munich_berlin is not None
    assert abs(munich_berlin - 505) < 3
    assert places.distance_km("DE", "10115", "DE", "80331") == munich_berlin
    assert places.distance_km("DE", "80331", "DE", " 80331 ") == Decimal(0)
    assert places.distance_km("DE", "99999", "DE", "99999") == Decimal(0)


def test_the_first_part_of_long_codes_is_enough(places: Places) -> None:
    assert places.place("GB", "sw1a 1aa") == (51.5, -0.14)
    assert places.place("US", "10001-1234") == (40.7484, -73.9967)
    assert places.place("US", "1000") is None
    assert places.place("DE", "803310") is None


def test_several_places_of_one_code_have_one_middle(places: Places) -> None:
    assert places.place("FR", "75001") == pytest.approx((48.87, 2.35))
    assert len(places) == 5


@pytest.mark.parametrize(("country", "code"), [("DE", "99999"), ("DE", ""), ("", ""), ("AT", "1010"), ("de", "80331")])
def test_what_is_unknown_has_no_distance_and_a_finding(places: Places, country: str, code: str) -> None:
    assert places.distance_km(country, code, "DE", "80331") is None
    finding = places.finding(country, code, "ship_to")
    assert finding is not None
    assert finding.rule == "unknown-postal-code"
    assert places.finding("DE", "80331", "ship_to") is None


def test_bad_rows_are_told_and_left_out() -> None:
    bad = [
        "DE\t80331",
        "DE,80331,x",
        "DE\t80331" + "\t" * 8 + "north\t11",
        "DE\t1" + "\t" * 8 + "91\t11",
        "DEU\t1" + "\t" * 8 + "1\t1",
    ]
    places, findings = parse_places([*ROWS, *bad])
    assert len(places) == 5
    assert [one.path for one in findings] == [f"row {len(ROWS) + index}" for index in range(1, 6)]
    _, many = parse_places(["x"] * 1000)
    assert len(many) == FINDINGS_MAX + 1
    assert "1000 rows" in many[-1].text
