"""What can happen to a piece of a customer order: its states, the events between them, and what facts make of them.

=============  =======================================================================================================
planned        a source was chosen; nothing binds yet
holding        the source was asked to hold the goods
held           the goods are held until a stated instant
ordering       the order has left us, and the partner has not receipted it
in_doubt       ... for too long: it may have been taken, or not
ordered        the partner has the order and has not answered
waiting_human  ... for too long, or its answer needs a human
accepted       it will come
ready          it lies ready to be collected
cancelling     the partner is asked not to send it; goes on until it answers. Where it refuses before it has answered
               the order itself, the piece is `ordered` again
despatched     it is on its way
delivered      it has arrived, or was collected
back_ordered   no source has it; it waits for supply
rejected       dead: the source will not send it
released       dead: we have let it go before anything bound us
cancelled      dead: the partner has agreed not to send it
passed_on      dead: it has arrived where other pieces take its goods on
=============  =======================================================================================================

A dead piece holds no units of its line: they are sourced again, or cancelled where the customer wants that. What a
partner says of a dead piece changes no count; goods that come for one are a surplus, which a human sees.

A piece may bring goods only to where another one takes them on (`INBOUND`): to the store where the customer collects,
or to the dock from which they go to the customer. What arrives there well is held by the other piece from then on
(`passed`), what arrives short or damaged belongs to the line again (`lost`); so does a failed delivery that a human
gives up. Facts are about all that a piece ever held, so both are taken off them (`net`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

from node.core.customer_rows import PieceRow
from node.errors import RefusedError

__all__ = [
    "DEAD",
    "EXTENDING",
    "INBOUND",
    "LIVE",
    "STATES",
    "Disrupted",
    "Happened",
    "PieceFact",
    "absorb",
    "net",
    "step_to",
]

DEAD = frozenset({"rejected", "released", "cancelled", "passed_on"})
EXTENDING = "a later end of the hold is asked for"
"""Why a held piece waits, until its hold has one."""

INBOUND = frozenset({"to_collect", "cross_dock"})
"""Modes of pieces whose goods go on from where they arrive."""

_SENT = {
    "order_accepted": "accepted",
    "order_refused": "rejected",
    "ready": "ready",
    "despatched": "despatched",
    "delivered": "delivered",
    "cancel_asked": "cancelling",
    "asked_human": "waiting_human",
    "passed_on": "passed_on",
    "lost": "rejected",
}
"""What may happen to a piece whose order the partner has, or may have."""

_TABLE: dict[str, dict[str, str]] = {
    "planned": {"hold_asked": "holding", "held": "held", "order_sent": "ordering", "dropped": "released"},
    "holding": {"held": "held", "hold_lost": "rejected", "dropped": "released"},
    "held": {"held": "held", "hold_lost": "released", "order_sent": "ordering", "dropped": "released"},
    "ordering": {**_SENT, "order_taken": "ordered", "doubted": "in_doubt", "dropped": "released"},
    "in_doubt": {**_SENT, "order_taken": "ordered", "given_up": "released", "dropped": "released"},
    "ordered": _SENT,
    "waiting_human": {**_SENT, "dropped": "released"},
    "accepted": _SENT,
    "ready": {**_SENT, "order_accepted": "ready", "undone": "accepted"},
    "cancelling": {
        "cancel_agreed": "cancelled",
        "cancel_refused": "accepted",
        "refused_unanswered": "ordered",
        "order_refused": "rejected",
        "despatched": "despatched",
        "delivered": "delivered",
        "passed_on": "passed_on",
        "lost": "rejected",
    },
    "despatched": {
        "delivered": "delivered",
        "undone": "accepted",
        "cancel_asked": "despatched",
        "passed_on": "passed_on",
        "lost": "rejected",
    },
    "delivered": {"undone": "despatched"},
    "back_ordered": {"dropped": "released"},
    "rejected": {},
    "released": {},
    "cancelled": {},
    "passed_on": {},
}
STATES = frozenset(_TABLE)
LIVE = STATES - DEAD


def step_to(state: str, event: str) -> str:
    """The state after an event. Raises RefusedError ``impossible-step`` for what cannot happen in this state."""
    following = _TABLE[state].get(event)
    if following is None:
        raise RefusedError(f"a piece that is {state} cannot see {event}", code="impossible-step")
    return following


class Disrupted(NamedTuple):
    """What a notice in force says of a piece that has not left its source."""

    text: str
    quantity: int  # of how many of its units, scaled
    days_late: int = 0
    not_before: str | None = None  # the day from which on it can be sent again
    elsewhere_on: str | None = None  # when other sources could have these units there; None: they cannot

    def promised(self, agreed_on: str | None) -> str | None:
        """The day on which the piece is complete, where it was promised for another one; None: nobody knows."""
        if self.days_late:
            return (date.fromisoformat(agreed_on) + timedelta(self.days_late)).isoformat() if agreed_on else None
        return max(agreed_on or self.not_before, self.not_before) if self.not_before else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceFact:
    """What reservations and the order book say of one piece now. Quantities are scaled, in the piece's unit."""

    hold: str = ""  # the reservation's state, "" where there is none
    granted: int = 0
    hold_until: int | None = None
    extend_at: int | None = None  # when a later end of the hold is asked for, if the piece still waits then
    extensions: int = 0
    document: str = ""  # the order document's state, "" where there is none
    valid_until: int | None = None
    unanswered: int = 0
    accepted: int = 0  # substituted and back-ordered at the partner included: it will come from there
    later: int = 0  # of `accepted`: the partner has it not, and names no day
    refused: int = 0  # rejected
    cancelled: int = 0
    cancel_open: bool = False  # a cancellation or change that we asked for waits for its answer
    cancel_since: int | None = None  # since when it waits
    cancel_ever: bool = False  # one was asked at some time
    outside: str = ""  # why the partner's answer needs a yes of ours, "" where it does not
    ready: int = 0
    despatched: int = 0
    delivered: int = 0
    failed: int = 0
    failed_why: str = ""
    received: int = 0  # counted in well where it arrives
    spoilt: int = 0  # short, damaged or wrong on arrival
    promised_on: str | None = None
    disrupted: Disrupted | None = None
    tracking: str = ""
    reason: str = ""


class Happened(NamedTuple):
    """An entry of the process' record."""

    event: str
    quantity: int
    detail: str


_HOLD_GRANTED = frozenset({"granted", "partly_granted"})
_HOLD_CONFIRMED = frozenset({"confirmed", "reflected"})
_HOLD_LOST = frozenset({"refused", "released", "expired", "withdrawn"})
_BEFORE_ORDER = frozenset({"planned", "holding", "held"})
_UNSENT = frozenset({"refused", "withdrawn"})


def net(piece: PieceRow, fact: PieceFact) -> PieceFact:
    """The facts about what a piece still holds: less what other pieces took on, and what is lost."""
    if not piece.passed and not piece.lost:
        return fact
    gone = piece.passed + piece.lost
    return replace(
        fact,
        accepted=max(0, fact.accepted - gone),
        despatched=max(0, fact.despatched - gone),
        delivered=max(0, fact.delivered - piece.passed),
        received=max(0, fact.received - piece.passed),
        ready=max(0, fact.ready - piece.passed),
        failed=max(0, fact.failed - piece.lost),
        spoilt=max(0, fact.spoilt - piece.lost),
    )


def absorb(piece: PieceRow, fact: PieceFact, at: int) -> tuple[PieceRow, list[Happened]]:
    """The piece as the facts have it, and what happened since it was looked at last. The same facts again: nothing."""
    said: list[Happened] = []
    before = piece
    while True:
        following = _absorb_once(piece, net(piece, fact), said)
        if following == piece:
            break
        piece = following
    if piece != before:
        piece = piece._replace(at=at)
        if piece.state == "back_ordered" and piece.notice != before.notice:
            piece = piece._replace(next_at=at)  # what it waits for comes otherwise than was planned
    return piece, said


def _absorb_once(piece: PieceRow, fact: PieceFact, said: list[Happened]) -> PieceRow:
    if piece.state == "back_ordered":
        return _of_notice(_of_dead(piece, fact, said), fact, said)
    if piece.state in DEAD:
        return _of_dead(piece, fact, said)
    if piece.state in _BEFORE_ORDER:
        return _of_notice(_of_hold(piece, fact, said), fact, said)
    return _of_notice(_of_goods(_of_order(piece, fact, said), fact, said), fact, said)


def _of_notice(piece: PieceRow, fact: PieceFact, said: list[Happened]) -> PieceRow:
    """What was promised for a day is told for another one as long as a notice of disruption says so."""
    noticed = fact.disrupted
    if piece.state in DEAD or piece.state in ("cancelling", "despatched", "delivered"):
        return piece
    if piece.state == "back_ordered" and not (piece.promised_on or piece.notice):
        return piece  # nothing was promised
    if noticed is None:
        if not piece.notice:
            return piece
        said.append(Happened("as_agreed_again", piece.quantity, piece.notice))
        agreed_on = fact.promised_on or piece.agreed_on
        reason = "" if piece.reason == piece.notice else piece.reason
        return piece._replace(promised_on=agreed_on, agreed_on=None, notice="", reason=reason)
    agreed_on = fact.promised_on or (piece.agreed_on if piece.notice else piece.promised_on)
    promised_on = noticed.promised(agreed_on)
    after = piece._replace(promised_on=promised_on, agreed_on=agreed_on, notice=noticed.text, reason=noticed.text)
    if after != piece and (piece.notice, piece.promised_on) != (after.notice, promised_on):
        told = (
            f"{noticed.text}; it was promised for {agreed_on or 'no day'}, and comes on {promised_on or 'no known day'}"
        )
        said.append(Happened("disrupted", noticed.quantity, told))
    return after


def _move(piece: PieceRow, event: str, said: list[Happened], detail: str = "") -> PieceRow:
    state = step_to(piece.state, event)
    if state == piece.state:
        return piece
    said.append(Happened(event, piece.quantity, detail))
    return piece._replace(state=state, next_at=None, reason=detail)


def _shrink(piece: PieceRow, quantity: int, said: list[Happened], why: str) -> PieceRow:
    """Fewer units come from this source; the others belong to the line again."""
    if quantity >= piece.quantity:
        return piece
    said.append(Happened("short", piece.quantity - quantity, why))
    return piece._replace(quantity=quantity, wanted=min(piece.wanted, quantity), reason=why)


def _of_dead(piece: PieceRow, fact: PieceFact, said: list[Happened]) -> PieceRow:
    """Goods that come for a piece that should not come count nowhere, but are told."""
    came = max(fact.despatched, fact.delivered)
    if came > piece.despatched:
        why = (
            "sent although it was not to come" if fact.despatched > piece.despatched else "it arrived although given up"
        )
        said.append(Happened("surplus", came - piece.despatched, why))
    return piece._replace(despatched=max(piece.despatched, came))


def _of_hold(piece: PieceRow, fact: PieceFact, said: list[Happened]) -> PieceRow:
    if fact.hold in _HOLD_GRANTED and fact.granted > 0:
        piece = _shrink(piece, fact.granted, said, "only part of it was granted")
        if piece.reason == EXTENDING and fact.hold_until != piece.next_at:
            said.append(Happened("hold_extended", piece.quantity, ""))
            piece = piece._replace(reason="")
        return _move(piece, "held", said)._replace(next_at=fact.hold_until)
    if fact.hold in _HOLD_LOST or (fact.hold in _HOLD_GRANTED and not fact.granted):
        why = fact.reason or f"the hold is {fact.hold.replace('_', ' ')}"
        return _move(piece, "hold_lost", said, why) if piece.state != "planned" else _move(piece, "dropped", said, why)
    return piece


def _of_order(piece: PieceRow, fact: PieceFact, said: list[Happened]) -> PieceRow:
    """What the partner says to the order, line by line; its goods come after."""
    if fact.document in _UNSENT and not fact.accepted and not fact.despatched:
        event = "order_refused" if fact.document == "refused" else "dropped"
        if event in _TABLE[piece.state]:
            return _move(piece, event, said, fact.reason or f"the order is {fact.document}")
        return piece
    if fact.document == "taken" and piece.state in ("ordering", "in_doubt"):
        piece = _move(piece, "order_taken", said)
    if fact.promised_on and not piece.notice and fact.promised_on != piece.promised_on:
        piece = piece._replace(promised_on=fact.promised_on)
    gone = max(fact.despatched, fact.delivered)
    if fact.unanswered:
        piece = _still_asked(piece, fact, gone, said)
    if fact.unanswered and not gone:
        return piece
    answered = bool(fact.accepted or fact.refused or fact.cancelled)
    if not answered and not gone:
        return piece
    if answered and not fact.unanswered:
        piece = _answered(piece, fact, max(fact.accepted, min(gone, piece.quantity)), said)
    return piece


def _still_asked(piece: PieceRow, fact: PieceFact, gone: int, said: list[Happened]) -> PieceRow:
    """A piece whose order waits for its answer, once what we asked less of it is refused: it waits for that alone."""
    if fact.cancel_open or not fact.cancel_ever or piece.wanted >= piece.quantity:
        return piece
    # The rest was cancelled, or rejected: of that a partner has spoken, and it belongs to the line again.
    kept = max(fact.unanswered + fact.accepted, min(gone, piece.quantity))
    piece = _shrink(piece, kept, said, fact.reason or "the partner sends less")
    refused = piece.quantity - piece.wanted
    if piece.state == "cancelling":
        said.append(Happened("cancel_refused", piece.quantity, fact.reason))
        why = "the partner has refused to cancel it"
        piece = piece._replace(state=step_to(piece.state, "refused_unanswered"), next_at=None, reason=why)
    elif refused:
        said.append(Happened("change_refused", refused, fact.reason))
    return piece._replace(wanted=piece.quantity)


def _answered(piece: PieceRow, fact: PieceFact, kept: int, said: list[Happened]) -> PieceRow:
    if fact.cancel_open and piece.state != "cancelling" and kept < piece.wanted:
        # The answer has crossed our change: a partner that agrees to the change may still send all that this asks for.
        return _shrink(piece, piece.wanted, said, fact.reason or "the partner sends less")
    if not kept:
        if piece.state == "cancelling":
            return _move(piece, "cancel_agreed", said, piece.reason or fact.reason)
        if piece.state in ("despatched", "delivered"):
            piece = _move(piece, "undone", said, "the despatch was taken back")
            return _answered(piece, fact, kept, said)
        return _move(piece, "order_refused", said, fact.reason or "the partner rejects it")
    piece = _shrink(piece, kept, said, fact.reason or "the partner sends less")
    if piece.state == "cancelling":
        if not fact.cancel_open:
            piece = _move(piece, "cancel_refused", said, fact.reason)._replace(wanted=piece.quantity)
    elif piece.wanted < piece.quantity and not fact.cancel_open and fact.cancel_ever:
        said.append(Happened("change_refused", piece.quantity - piece.wanted, fact.reason))
        piece = piece._replace(wanted=piece.quantity)
    if fact.outside:
        return piece
    if piece.state in ("ordering", "in_doubt", "ordered", "waiting_human"):
        piece = _move(piece, "order_accepted", said)
    return piece


def _of_goods(piece: PieceRow, fact: PieceFact, said: list[Happened]) -> PieceRow:
    """How far the goods have come. What goes beyond the piece is a surplus, and never counted."""
    if piece.state in DEAD:
        return _of_dead(piece, fact, said)
    if fact.despatched > max(piece.quantity, piece.despatched):
        surplus = fact.despatched - max(piece.quantity, piece.despatched)
        said.append(Happened("surplus", surplus, "more was despatched than was ordered"))
    if piece.mode in INBOUND:
        return _of_inbound(piece, fact, said)
    arrived = min(fact.delivered, piece.quantity)
    if fact.delivered > piece.quantity and arrived > piece.delivered and fact.delivered > fact.despatched:
        said.append(Happened("surplus", fact.delivered - piece.quantity, "more was collected than was ordered"))
    if arrived < piece.delivered:
        said.append(Happened("delivery_undone", piece.delivered - arrived, ""))
    elif arrived > piece.delivered:
        said.append(Happened("arrived", arrived - piece.delivered, ""))
    piece = _sent(piece, fact, said)
    if arrived != piece.delivered:
        piece = piece._replace(delivered=arrived)
    if not piece.quantity:
        return piece
    if arrived >= piece.quantity:
        return piece if piece.state == "delivered" else _move(piece, "delivered", said)
    if piece.state == "delivered":
        piece = _move(piece, "undone", said, "it has not arrived after all")
    if fact.despatched >= piece.quantity:
        return piece if piece.state == "despatched" else _move(piece, "despatched", said, fact.tracking)
    if piece.state == "despatched":
        piece = _move(piece, "undone", said, "the despatch was corrected")
    lies_ready = piece.mode == "collect" and fact.ready >= piece.quantity
    if lies_ready and piece.state in ("ordered", "accepted", "ordering", "in_doubt"):
        piece = _move(piece, "ready", said)
    elif piece.state == "ready" and fact.ready < piece.quantity:
        piece = _move(piece, "undone", said, "it is not ready after all")
    return piece


def _sent(piece: PieceRow, fact: PieceFact, said: list[Happened]) -> PieceRow:
    if fact.despatched > piece.despatched:
        sent = min(fact.despatched, piece.quantity) - min(piece.despatched, piece.quantity)
        if sent > 0:
            said.append(Happened("sent", sent, fact.tracking))
    tracking = fact.tracking or piece.tracking
    if (fact.despatched, tracking) == (piece.despatched, piece.tracking):
        return piece
    return piece._replace(despatched=fact.despatched, tracking=tracking)


def _of_inbound(piece: PieceRow, fact: PieceFact, said: list[Happened]) -> PieceRow:
    """It never counts as delivered: other pieces take its goods on. What is spoilt belongs to the line again."""
    piece = _sent(piece, fact, said)
    spoilt = min(fact.spoilt, piece.quantity)
    if spoilt:
        said.append(Happened("spoilt", spoilt, "short, damaged or wrong on arrival"))
        left = piece.quantity - spoilt
        piece = piece._replace(
            quantity=left, wanted=min(piece.wanted, left), lost=piece.lost + spoilt, despatched=fact.despatched - spoilt
        )
        if not left:
            return _move(piece, "lost", said, "short, damaged or wrong on arrival")
        return piece
    if piece.quantity and fact.despatched >= piece.quantity:
        return piece if piece.state == "despatched" else _move(piece, "despatched", said, fact.tracking)
    if piece.state == "despatched":
        piece = _move(piece, "undone", said, "the despatch was corrected")
    return piece
