"""What of a request is granted: every state with every event, and how places, lines and limits share what there is."""

from __future__ import annotations

import pytest

from node.core import reservation, sharing
from node.core.reservation import EVENTS, STATES, TOLD, Ask, Given, after, allowance, decide, shrunk, to_tell, together

ONE = 1_000_000
BEAR1, BEAR2 = ("no:x:BEAR", "DC1"), ("no:x:BEAR", "DC2")

# State by state, what each event leaves, in the order of EVENTS: ask, grant, grant_partly, refuse, extend, shrink,
# confirm, reflect, release, expire, withdraw; a dot: nothing changes.
TABLE = """
requested pending granted partly_granted refused . . . . released expired withdrawn
granted . . . . . . confirmed . released expired withdrawn
partly_granted . . . . . . confirmed . released expired withdrawn
refused . . . . . . . . . . .
confirmed . . . . . . . reflected released . .
reflected . . . . . . . . . . .
released . . . . . . . . . . .
expired . . . . . . . . . . .
withdrawn . . . . . . . . . . .
pending . granted partly_granted refused . . . . released expired withdrawn
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [(row[0], event, row[1 + place]) for row in ROWS for place, event in enumerate(EVENTS)],
)
def test_every_state_with_every_event(state: str, event: str, expected: str) -> None:
    assert after(state, event) == (state if expected == "." else expected)


def test_the_table_is_whole() -> None:
    assert tuple(row[0] for row in ROWS) == STATES
    assert reservation.LIVE | reservation.UNWANTED | {"requested", "pending", "confirmed", "reflected"} == set(STATES)
    assert reservation.LIVE < reservation.STANDING < reservation.OPEN


# What our ERP has to be told: by the hold's state, after it was told nothing, held (and held, but for less long).
TELL = """
requested release release release
pending reserve . reserve
granted reserve . reserve
partly_granted reserve . reserve
refused release release release
confirmed release confirm confirm
reflected release confirm confirm
released release release release
expired release release release
withdrawn release release release
"""


@pytest.mark.parametrize("line", TELL.strip().splitlines())
def test_what_the_erp_has_to_be_told(line: str) -> None:
    state, *expected = (word.replace(".", "") for word in line.split())
    told = [to_tell(state, "nothing"), to_tell(state, "held"), to_tell(state, "held", longer=True)]
    assert told == expected
    assert {to_tell(state, done, longer=late) for done in ("refused", "ended") for late in (True, False)} == {""}


def test_every_state_has_something_to_tell_or_not() -> None:
    assert {line.split()[0] for line in TELL.strip().splitlines()} == set(STATES)
    assert TOLD == ("nothing", "held", "refused", "ended")
    for state, told in (("held", "nothing"), ("granted", "granted")):
        with pytest.raises(ValueError, match="no reservation"):
            to_tell(state, told)


def test_all_or_nothing_waits_for_every_answer_but_a_refusal() -> None:
    assert together(["held"]) == together(["held", "held"]) == "grant"
    assert together(["held", "nothing"]) == together(["nothing"]) == ""
    assert together(["refused", "nothing"]) == together(["held", "ended"]) == "refuse"


@pytest.mark.parametrize(("state", "event"), [("granted", "vanish"), ("promised", "grant"), ("", "")])
def test_an_unknown_word_is_an_error(state: str, event: str) -> None:
    with pytest.raises(ValueError, match="no reservation"):
        after(state, event)


def test_a_line_is_given_by_one_place_the_smallest_that_has_enough() -> None:
    ask = Ask("1", {BEAR1: 5, BEAR2: 5})
    assert decide([ask], {BEAR1: 9, BEAR2: 6}, 100, complete=False) == [Given("1", BEAR2, 5)]
    assert decide([ask], {BEAR1: 3, BEAR2: 4}, 100, complete=False) == [Given("1", BEAR2, 4)]
    assert decide([ask], {BEAR1: 3, BEAR2: 4}, 100, complete=True) == [Given("1", None, 0, "not-enough")]


def test_lines_share_what_there_is_and_the_limit() -> None:
    asks = [Ask(name, {BEAR1: 4}) for name in "abc"]
    assert [one.amount for one in decide(asks, {BEAR1: 9}, 100, complete=False)] == [4, 4, 1]
    assert [one.amount for one in decide(asks, {BEAR1: 90}, 6, complete=False)] == [4, 2, 0]
    assert [one.reason for one in decide(asks, {BEAR1: 90}, 6, complete=True)] == ["incomplete", "limit", "limit"]
    assert [one.amount for one in decide(asks, {BEAR1: 9}, 100, complete=True)] == [0, 0, 0]


def test_what_cannot_be_told_in_part_is_given_whole_or_not() -> None:
    asks = [Ask("1", {BEAR1: 12}, whole=True)]
    assert decide(asks, {BEAR1: 11}, 100, complete=False) == [Given("1", None, 0, "not-enough")]
    assert decide([Ask("1", {})], {BEAR1: 11}, 100, complete=False) == [Given("1", None, 0, "unknown-item")]


@pytest.mark.parametrize(
    ("granted", "held", "keep", "left"),
    [
        (10, 10, 7, 7),
        (10, 10, 10, 10),
        (10, 10, 12, 10),
        (10, 10, 0, 0),
        (3, 36, 2, 24),  # boxes of twelve
        (12, 1 * ONE, 7, 583_334),  # one box, seven pieces of it: no fraction of it is free by rounding
        (10, 0, 4, 0),  # our ERP's figure has taken it off already
        (0, 0, 4, 0),
    ],
)
def test_a_part_that_is_given_back_is_free(granted: int, held: int, keep: int, left: int) -> None:
    assert shrunk(granted, held, keep) == left


def rule(figure: str, **more: object) -> sharing.Rule:
    return sharing.Rule(partner="*", item="*", location="*", figure=figure, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "available", "taken", "held", "allowed"),
    [
        (rule("exact"), 10, 4, 3, 6),
        (rule("exact"), 10, 14, 3, 0),
        (rule("exact", reserve_percent=25), 9, 0, 0, 6),
        (rule("capped", cap=5 * ONE), 100, 0, 0, 5),
        (rule("capped", cap=5 * ONE), 100, 3, 3, 2),
        (rule("capped", cap=5 * ONE), 6, 3, 2, 3),
        (rule("band", bands=(0, 4 * ONE, 8 * ONE)), 7, 0, 0, 4),
        (rule("band", bands=(0, 4 * ONE, 8 * ONE)), 7, 4, 4, 0),
        (rule("band", bands=(0, 4 * ONE, 8 * ONE)), 3, 0, 0, 0),
        (rule("yes_no"), 50, 0, 0, 1),
        (rule("yes_no"), 50, 1, 1, 0),
        (rule("hidden"), 50, 0, 0, None),
    ],
)
def test_a_partner_holds_what_it_is_told(
    how: sharing.Rule, available: int, taken: int, held: int, allowed: int | None
) -> None:
    found = allowance(how, available * ONE, taken * ONE, held * ONE, "C62")
    assert found == (None if allowed is None else allowed * ONE)
