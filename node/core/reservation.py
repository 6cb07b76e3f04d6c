"""Stock holds decided: their states, what of a request is granted, and how much of our stock a partner may hold.

A hold goes ``requested -> granted | partly_granted | refused``, and ends as ``confirmed -> reflected`` (an order took
it up, then our ERP's figure fell by it), ``released``, ``expired`` or ``withdrawn``. A part of it can be given back
before (`shrunk`): the hold stays what it is, and has less. What comes late or twice has no effect; a grant that comes
when nobody wants it any more, or of more than is still wanted, is given back by whoever got it (`UNWANTED`).

Where our ERP keeps holds too, one is ``pending`` between request and answer: our ledger counts it already, the ERP is
asked outside of any transaction, and its answer grants or refuses. What the ERP still has to be told follows from the
hold's state and from what it was told last (`to_tell`), so a crash at any point asks again, which is harmless.

What a partner may hold follows what it may see (`node.core.sharing`): by its holds it never learns more than the
figure that it is told. Its own live holds are reckoned into that figure, else it could hold piece after piece and
watch where the figure jumps.

======  ============================================================================================================
exact   all of it
capped  up to the cap, all its holds of the item at the place together
band    up to the lower end of the band that is told, together
yes_no  one piece, together
hidden  nothing: it is refused like an item that we do not have
======  ============================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.core import sharing

__all__ = [
    "EVENTS",
    "LIVE",
    "OPEN",
    "STANDING",
    "STATES",
    "TOLD",
    "UNWANTED",
    "Ask",
    "Given",
    "Place",
    "after",
    "allowance",
    "decide",
    "shrunk",
    "to_tell",
    "together",
]

Place = tuple[str, str]
"""An item's key and a location of ours."""

STATES = (
    *("requested", "granted", "partly_granted", "refused", "confirmed", "reflected", "released", "expired"),
    *("withdrawn", "pending"),
)
EVENTS = (
    *("ask", "grant", "grant_partly", "refuse", "extend", "shrink", "confirm", "reflect"),
    *("release", "expire", "withdraw"),
)

LIVE = frozenset({"granted", "partly_granted"})
"""Holds that count until their time is up."""

STANDING = LIVE | {"pending"}
"""Holds on our stock that take something off it until their time is up."""

OPEN = STANDING | {"requested"}
"""What ends by itself when its time is up."""

UNWANTED = frozenset({"refused", "released", "expired", "withdrawn"})
"""A grant that comes now is given back."""

_ENDS = {"confirm": "confirmed", "release": "released", "expire": "expired", "withdraw": "withdrawn"}
_STEPS: dict[str, dict[str, str]] = {
    "requested": {
        "ask": "pending",
        "grant": "granted",
        "grant_partly": "partly_granted",
        "refuse": "refused",
        "shrink": "requested",
        "release": "released",
        "expire": "expired",
        "withdraw": "withdrawn",
    },
    "pending": {
        "grant": "granted",
        "grant_partly": "partly_granted",
        "refuse": "refused",
        "shrink": "pending",
        "release": "released",
        "expire": "expired",
        "withdraw": "withdrawn",
    },
    "granted": {"extend": "granted", "shrink": "granted", **_ENDS},
    "partly_granted": {"extend": "partly_granted", "shrink": "partly_granted", **_ENDS},
    "confirmed": {"reflect": "reflected", "release": "released"},
}


def after(state: str, event: str) -> str:
    """The state after an event; the same state where the event comes too late or twice.

    Raises ValueError for a state or event that there is not.
    """
    if state not in STATES or event not in EVENTS:
        raise ValueError(f"no reservation is {state!r}, or none hears {event!r}")
    return _STEPS.get(state, {}).get(event, state)


def shrunk(granted: int, held: int, keep: int) -> int:
    """What a hold of `granted` still takes off our figure, of `held`, when only `keep` of it is wanted.

    Units of `granted` and `held` may differ; a fraction is rounded up, so that nothing is promised that is not free.
    """
    return held if keep >= granted else -(-held * max(0, keep) // granted)


TOLD = ("nothing", "held", "refused", "ended")
"""What our ERP knows of a hold: what it was told last, and answered. "nothing": a question may have reached it."""


def to_tell(state: str, told: str, *, longer: bool = False) -> str:
    """What our ERP has to be told of a hold now: ``reserve``, ``confirm``, ``release``, or "" for nothing.

    `longer`: the hold's end is later than the one that the ERP was told, which is a ``reserve`` again. An order that
    took up a hold that the ERP has not answered yet reaches it by itself.
    """
    if state not in STATES or told not in TOLD:
        raise ValueError(f"no reservation is {state!r}, or no system was told {told!r}")
    if told == "nothing":
        return "reserve" if state in STANDING else "release"
    if told == "held" and state in STANDING:
        return "reserve" if longer else ""
    if told == "held":
        return "confirm" if state in ("confirmed", "reflected") else "release"
    return ""


def together(told: Sequence[str]) -> str:
    """What becomes of pending holds that stand or fall together, by what the ERP was told of each of them:
    ``grant``, ``refuse``, or "" while an answer is missing that counts."""
    if any(one in ("refused", "ended") for one in told):
        return "refuse"
    return "" if "nothing" in told else "grant"


def allowance(rule: sharing.Rule, available: int, taken: int, held: int, unit: str) -> int | None:
    """How much more of a figure a partner may hold, scaled; None where it must not even know of the item.

    `taken` is all that is kept off the figure (holds, orders, safety, exposure), `held` the partner's own part of it.
    """
    if rule.figure == sharing.HIDDEN:
        return None
    free = sharing.after_reserve(available, rule.reserve_percent, unit) - taken
    if rule.figure == sharing.EXACT:
        return max(0, free)
    told = sharing.lower_end(rule, max(0, free + held))
    return max(0, min(told - held, free))


@dataclass(frozen=True, slots=True)
class Ask:
    """One line of a request: what is asked for at each place that could give it, in that place's unit, scaled."""

    line_id: str
    places: Mapping[Place, int]
    whole: bool = False
    """Whether a part of it cannot be told in the unit that was asked in."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one line gets: nothing has a reason."""

    line_id: str
    place: Place | None
    amount: int
    reason: str = ""


def decide(asks: Sequence[Ask], pools: Mapping[Place, int], room: int, *, complete: bool) -> list[Given]:
    """What of a request is granted out of `pools`: what may be held at each place.

    Lines of the same item share its pools, a line is given by one place, and all lines together stay within `room`.
    A place that has enough is preferred, the smallest first, so that large stocks stay whole. `complete`: all lines in
    full or nothing. Reasons: ``unknown-item``, ``not-enough``, ``limit``, ``incomplete``.
    """
    left = dict(pools)
    given = []
    for ask in asks:
        one = _give(ask, left, room, whole=complete or ask.whole)
        if one.place is not None:
            left[one.place] -= one.amount
            room -= one.amount
        given.append(one)
    if complete and any(one.place is None for one in given):
        return [Given(one.line_id, None, 0, one.reason or "incomplete") for one in given]
    return given


def _give(ask: Ask, left: Mapping[Place, int], room: int, *, whole: bool) -> Given:
    places = [place for place in ask.places if place in left]
    if not places:
        return Given(ask.line_id, None, 0, "unknown-item")
    enough = [place for place in places if left[place] >= ask.places[place]]
    if enough:
        place = min(enough, key=lambda one: (left[one], one))
        amount = ask.places[place]
    else:
        place = max(places, key=lambda one: (left[one], one))
        amount = 0 if whole else left[place]
    if amount > room:
        amount = 0 if whole else max(0, room)
        if not amount:
            return Given(ask.line_id, None, 0, "limit")
    if amount <= 0:
        return Given(ask.line_id, None, 0, "not-enough")
    return Given(ask.line_id, place, amount)
