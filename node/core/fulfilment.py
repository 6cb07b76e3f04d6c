"""The process of one customer order: from its lines, its pieces and the facts to the steps that are due now.

The account of a line is exact at every moment:

    quantity = cancelled + what its live pieces hold (back-ordered and delivered ones included) + remainder

and the remainder is never stored: it is what nobody holds. A piece that is rejected, or falls short, gives its units
back by holding less, so that they are sourced again, and no others; a unit can be lost or doubled by no sequence of
events. What the customer wants less (`cancel_asked`) is taken from the remainder first, then from pieces that bind
nobody, then asked back from partners, and settled only by their answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from node.core import kits
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, PieceRow
from node.core.movements import due_of, failed_text
from node.core.piece_state import DEAD, EXTENDING, INBOUND, Happened, PieceFact, net
from node.core.process_steps import (
    AcceptChanges,
    AskHuman,
    CancelKits,
    CancelPiece,
    CancelUnits,
    ConfirmHeld,
    Delivered,
    Doubt,
    DropPiece,
    ExtendHold,
    GiveUp,
    MarkCancelled,
    MarkDone,
    RefuseCancel,
    Source,
    Step,
    Wait,
    Withdraw,
)

__all__ = [
    "TOGETHER",
    "AcceptChanges",
    "AskHuman",
    "CancelKits",
    "CancelPiece",
    "CancelUnits",
    "ConfirmHeld",
    "Delivered",
    "Doubt",
    "DropPiece",
    "ExtendHold",
    "GiveUp",
    "MarkCancelled",
    "MarkDone",
    "ProcessPolicy",
    "RefuseCancel",
    "Source",
    "Step",
    "Wait",
    "Withdraw",
    "avoided",
    "balance",
    "let_go",
    "next_steps",
    "not_given_back",
    "remainders",
    "waits_in_doubt",
]

SECOND = 1_000_000
LESS = "the customer wants less"
TOGETHER = "it is wanted whole or not at all, and the rest cannot be had"
_NO_FAILURE = frozenset({LESS, TOGETHER})
"""Why units are taken back from sources that have not failed."""

_BINDS_NOBODY = ("back_ordered", "planned", "holding", "held")
_BINDS = ("in_doubt", "ordering", "ordered", "waiting_human", "accepted", "ready")
_MOVABLE = ("planned", "holding", "held", "ordering", "ordered", "waiting_human", "accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPolicy:
    """What the settings say of the process."""

    sourcings_max: int = 8
    hold_extensions_max: int = 0  # so often the hold of an order that waits is extended
    on_silence: str = "human"  # or "cancel"
    outside: str = "human"  # or "accept", "reject"
    elsewhere_in_doubt: bool = False
    late_elsewhere: bool = True  # what a notice makes later than it is wanted is sourced elsewhere, if sooner
    later_elsewhere: bool = False  # what a partner can only send on no named day is sourced elsewhere
    answer_seconds: int = 0  # for so long a request to do with less waits for its answer; 0: for ever
    doubt_seconds: int = 0  # so often an order that names what nobody knows is looked at again; 0: never
    delivered_seconds: int = 0  # without news after the despatch it counts as delivered; 0: never


def remainders(lines: Collection[CustomerLineRow], pieces: Iterable[PieceRow]) -> dict[str, int]:
    """What nobody holds of each line (scaled), only where there is some."""
    held = kits.in_parts(lines)
    for piece in pieces:
        if piece.state not in DEAD:
            held[piece.line_id] = held.get(piece.line_id, 0) + piece.quantity
    open_ = {line.line_id: line.quantity - line.cancelled - held.get(line.line_id, 0) for line in lines}
    return {line_id: quantity for line_id, quantity in open_.items() if quantity}


def waits_in_doubt(order: CustomerOrderRow, pieces: Collection[object]) -> bool:
    """Whether nothing was done for the order yet, because a human must clear something up first."""
    return order.state == "human" and order.approved == 0 and not order.sourced and not pieces


def balance(
    line: CustomerLineRow, pieces: Iterable[PieceRow], lines: Collection[CustomerLineRow] = ()
) -> dict[str, int]:
    """The account of one line, scaled: ordered, cancelled, delivered, back_ordered, live (what is under way), open.

    With all `lines` of the order a kit stands where its components do.
    """
    pieces = list(pieces)
    sums = {"ordered": line.quantity, "cancelled": line.cancelled, "delivered": 0, "back_ordered": 0, "live": 0}
    for piece in pieces:
        if piece.line_id != line.line_id or piece.state in DEAD:
            continue
        sums["delivered"] += piece.delivered
        name = "back_ordered" if piece.state == "back_ordered" else "live"
        sums[name] += piece.quantity - piece.delivered
    parts = [one for one in lines if one.parent_line == line.line_id]
    if parts:
        made = kits.parts_balance(line, {one.line_id: balance(one, pieces, lines) for one in parts}, parts)
        for name in ("cancelled", "delivered", "back_ordered", "live"):
            sums[name] += made[name]
    sums["open"] = line.quantity - sums["cancelled"] - sums["delivered"] - sums["back_ordered"] - sums["live"]
    return sums


def avoided(pieces: Iterable[PieceRow]) -> dict[str, frozenset[tuple[str, str]]]:
    """By line the (partner, location) that failed it: rejected, fell silent, or lost the hold.

    One whose goods were lost on their way has sent them, and may send again; one from which we took them back has them.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for piece in pieces:
        gave_up = piece.state in ("rejected", "released", "cancelled") and not piece.lost
        gave_up = gave_up and piece.reason not in _NO_FAILURE
        if gave_up and (piece.partner_id or piece.location):
            found.setdefault(piece.line_id, set()).add((piece.partner_id, piece.location))
    return {line_id: frozenset(sources) for line_id, sources in found.items()}


def let_go(
    order: CustomerOrderRow,
    pieces: Sequence[PieceRow],
    facts: Mapping[int, PieceFact],
    now: int,
    policy: ProcessPolicy,
) -> list[Step]:
    """Steps that take back every unit of an order which has not left, because the rest is not to be had."""
    process = _Process(order, [], pieces, facts, now, policy, None)
    steps = []
    for piece in process.live:
        fact = process.fact(piece)
        part = piece.quantity - min(piece.quantity, max(fact.despatched, piece.delivered))
        may = piece.state in _BINDS or piece.state in _BINDS_NOBODY[1:]
        if may and part > 0 and not fact.cancel_open:
            steps.append(process.give_back(piece, part, TOGETHER))
    return steps


def not_given_back(line: CustomerLineRow, said: Iterable[Happened]) -> CustomerLineRow:
    """The line when a partner has refused to do with less: what it keeps is asked of nobody again, and comes."""
    kept = sum(one.quantity for one in said if one.event in ("cancel_refused", "change_refused"))
    return line._replace(cancel_asked=max(0, line.cancel_asked - kept)) if kept else line


def next_steps(
    order: CustomerOrderRow,
    lines: Sequence[CustomerLineRow],
    pieces: Sequence[PieceRow],
    facts: Mapping[int, PieceFact],
    now: int,
    policy: ProcessPolicy,
    launch_at: int | None = None,
) -> list[Step]:
    """What is due now, in this order. `pieces` have absorbed the facts; `now` and `launch_at` are microseconds."""
    if order.state in ("done", "cancelled", "merged", "template"):
        return []
    process = _Process(order, lines, pieces, facts, now, policy, launch_at)
    process.settle_cancellations()
    if process.steps:
        # They change the account: what follows is decided on the new one.
        return process.steps
    process.watch()
    process.go_on()
    process.end()
    return process.steps


class _Process:
    """One look at an order."""

    def __init__(
        self,
        order: CustomerOrderRow,
        lines: Sequence[CustomerLineRow],
        pieces: Sequence[PieceRow],
        facts: Mapping[int, PieceFact],
        now: int,
        policy: ProcessPolicy,
        launch_at: int | None,
    ) -> None:
        self.order, self.lines, self.pieces, self.facts = order, lines, pieces, facts
        self.at, self.policy, self.launch_at = now, policy, launch_at
        self.live = [piece for piece in pieces if piece.state not in DEAD]
        self.wanted_by = {line.line_id: line for line in lines}
        self.rest = remainders(lines, pieces)
        self.in_parts = kits.in_parts(lines)
        self.steps: list[Step] = []
        self.until: list[int] = []

    def fact(self, piece: PieceRow) -> PieceFact:
        """What is known of what the piece still holds."""
        return net(piece, self.facts.get(piece.piece_id, _NOTHING))

    # --- what the customer wants less ---

    def settle_cancellations(self) -> None:
        for line in self.lines:
            if line.cancel_asked:
                self._settle(line)

    def _settle(self, line: CustomerLineRow) -> None:
        wanted = line.cancel_asked
        free = min(max(0, self.rest.get(line.line_id, 0)), wanted)
        if free:
            self.steps.append(CancelUnits(line.line_id, free))
            return
        own = [piece for piece in self.live if piece.line_id == line.line_id]
        asked = sum(piece.quantity - piece.wanted for piece in own)
        needed = wanted - asked
        for states in (_BINDS_NOBODY, _BINDS):
            for piece in sorted(own, key=lambda one: states.index(one.state) if one.state in states else 99):
                if piece.state not in states or needed <= 0 or piece.wanted < piece.quantity:
                    continue
                gone = max(self.fact(piece).despatched, piece.delivered)
                part = min(needed, piece.quantity - min(piece.quantity, gone))
                if part <= 0:
                    continue
                needed -= part
                self.steps.append(self.give_back(piece, part))
            if self.steps:
                return
        if needed > 0 and line.line_id in self.in_parts:
            count, _ = kits.give_up(line, needed, self.lines)
            if count:
                self.steps.append(CancelKits(line.line_id, count))
                return
        if needed > 0:
            self.steps.append(RefuseCancel(line.line_id, needed))

    def give_back(self, piece: PieceRow, part: int, reason: str = LESS) -> Step:
        """How so many units of a piece are taken back from its source."""
        if piece.state in _BINDS_NOBODY:
            return DropPiece(piece.piece_id, part, reason)
        if self.fact(piece).document == "waiting" and part == piece.quantity:
            return Withdraw(piece.piece_id, reason)
        return CancelPiece(piece.piece_id, piece.quantity - part, reason)

    # --- deadlines and answers ---

    def watch(self) -> None:
        for piece in self.pieces:
            if piece.state in DEAD:
                self._watch_dead(piece)
                continue
            fact, due = self.fact(piece), piece.next_at is not None and piece.next_at <= self.at
            if part := self._better_elsewhere(piece, fact):
                self.steps.append(self.give_back(piece, part, piece.notice))
                continue
            if (moved := due_of(self.order, piece, fact, self.at)) is not None:
                self.steps.append(moved)
            elif self._hold_ends_soon(piece, fact):
                self.steps.append(ExtendHold(piece.piece_id))
            elif piece.state in ("holding", "held") and due:
                why = "no answer in time" if piece.state == "holding" else "the hold has expired"
                self.steps.append(DropPiece(piece.piece_id, piece.quantity, why))
            elif piece.state == "ordering" and due:
                late = "the partner was not reached in time"
                self.steps.append(
                    Withdraw(piece.piece_id, late) if fact.document == "waiting" else Doubt(piece.piece_id)
                )
            elif piece.state == "in_doubt":
                self._watch_doubt(piece, fact)
            elif piece.state in ("ordered", "waiting_human", "ordering") and fact.outside and not fact.cancel_open:
                self._outside(piece, fact)
            elif piece.state == "ordered" and due:
                self._silent(piece)
            elif piece.state == "waiting_human":
                self.steps.append(AskHuman(piece.reason or "the partner has not answered", piece.piece_id))
            elif piece.state in ("accepted", "ready", "cancelling") and fact.cancel_open:
                self._asked_for_less(piece, fact)
            elif piece.state == "accepted" and fact.later and self.policy.later_elsewhere and not fact.cancel_ever:
                keep = max(0, piece.quantity - fact.later)
                self.steps.append(CancelPiece(piece.piece_id, keep, "the partner names no day for it"))
            elif piece.state == "despatched":
                self._arrives(piece, fact)
            elif piece.next_at is not None and piece.state != "back_ordered":
                self.until.append(piece.next_at)

    def _better_elsewhere(self, piece: PieceRow, fact: PieceFact) -> int:
        """How many units of a piece are given back because of a notice: it comes too late, and elsewhere it is sooner.

        A partner that has the order is asked once, and they are sourced again only when it agrees.
        """
        told, line = fact.disrupted, self.wanted_by.get(piece.line_id)
        if told is None or told.elsewhere_on is None or line is None or not self.policy.late_elsewhere:
            return 0
        if piece.state not in _MOVABLE or (piece.state == "ordering" and fact.document == "sent"):
            return 0
        if fact.cancel_open or fact.cancel_ever or piece.wanted < piece.quantity:
            return 0
        if piece.promised_on is not None:
            need_on = line.need_on or self.order.need_on or piece.agreed_on
            late = any(on is not None and piece.promised_on > on for on in (need_on, self.order.not_after))
            if not late or told.elsewhere_on >= piece.promised_on:
                return 0
        return min(told.quantity, piece.quantity - max(fact.despatched, piece.delivered))

    def _hold_ends_soon(self, piece: PieceRow, fact: PieceFact) -> bool:
        """Whether a hold is to be extended now; one that the partner does not extend is asked for once."""
        if piece.state != "held" or fact.extend_at is None or piece.reason == EXTENDING:
            return False
        if fact.extensions >= self.policy.hold_extensions_max:
            return False
        if fact.extend_at > self.at:
            self.until.append(fact.extend_at)
        return fact.extend_at <= self.at and (piece.next_at is None or self.at < piece.next_at)

    def _watch_dead(self, piece: PieceRow) -> None:
        """A partner that takes an order after all, which we gave up, is told that it is not to come."""
        fact = self.fact(piece)
        takes = fact.document in ("waiting", "sent", "taken") and fact.accepted > fact.despatched
        takes = takes and piece.state != "passed_on"
        if takes and not fact.cancel_ever:
            self.steps.append(CancelPiece(piece.piece_id, 0, "it comes too late: it was sourced elsewhere"))

    def _watch_doubt(self, piece: PieceRow, fact: PieceFact) -> None:
        if fact.document == "waiting":
            self.steps.append(Withdraw(piece.piece_id, "the partner was not reached in time"))
        elif fact.valid_until is not None and self.at <= fact.valid_until:
            self.until.append(fact.valid_until + SECOND)
        elif self.policy.elsewhere_in_doubt and fact.valid_until is not None:
            self.steps.append(GiveUp(piece.piece_id, "in doubt until it was no longer valid"))
        else:
            text = "the order has left and was never receipted: ask the partner whether it will deliver"
            self.steps.append(AskHuman(text, piece.piece_id))

    def _outside(self, piece: PieceRow, fact: PieceFact) -> None:
        if self.policy.outside == "accept":
            self.steps.append(AcceptChanges(piece.piece_id))
        elif self.policy.outside == "reject" and not _refused_to_cancel(fact):
            self.steps.append(CancelPiece(piece.piece_id, 0, f"not agreed: {fact.outside}"))
        else:
            self.steps.append(AskHuman(f"the answer is outside the tolerances: {fact.outside}", piece.piece_id))

    def _silent(self, piece: PieceRow) -> None:
        if self.policy.on_silence == "cancel" and not _refused_to_cancel(self.fact(piece)):
            self.steps.append(CancelPiece(piece.piece_id, 0, "the partner has not answered in time"))
        else:
            self.steps.append(AskHuman("the partner has not answered in time", piece.piece_id))

    def _asked_for_less(self, piece: PieceRow, fact: PieceFact) -> None:
        """What was agreed on stands until the partner answers; when it says nothing, only a human can find out."""
        if fact.cancel_since is None or not self.policy.answer_seconds:
            return
        due = fact.cancel_since + self.policy.answer_seconds * SECOND
        if due > self.at:
            self.until.append(due)
            return
        whom = "the partner" if piece.partner_id else "our own system"
        text = f"{whom} has not answered in time that less is wanted: ask, and see `hansa order show` for what was sent"
        self.steps.append(AskHuman(text, piece.piece_id))

    def _arrives(self, piece: PieceRow, fact: PieceFact) -> None:
        due = piece.at + self.policy.delivered_seconds * SECOND
        if fact.failed:
            text = failed_text(self.order, fact.failed, piece.unit, fact.failed_why)
            self.steps.append(AskHuman(text, piece.piece_id))
        elif not self.policy.delivered_seconds:
            return
        elif due > self.at:
            self.until.append(due)
        elif piece.mode in INBOUND:
            self.steps.append(AskHuman("it was sent long ago, and nobody has counted it in", piece.piece_id))
        else:
            self.steps.append(Delivered(piece.piece_id))

    # --- forward ---

    def go_on(self) -> None:
        order = self.order
        waiting = {
            piece.piece_id: piece
            for piece in self.live
            if piece.state == "back_ordered" and piece.next_at is not None and piece.next_at <= self.at
        }
        self.until += [
            piece.next_at
            for piece in self.live
            if piece.state == "back_ordered" and piece.next_at is not None and piece.piece_id not in waiting
        ]
        negative = [line_id for line_id, quantity in self.rest.items() if quantity < 0]
        if negative:
            self.steps.append(AskHuman(f"more is under way than is wanted of line {', '.join(negative)}"))
            return
        dropping = any(isinstance(step, DropPiece | Withdraw | GiveUp) for step in self.steps)
        if (self.rest or waiting) and not dropping:
            self._source(waiting.values())
            return
        # An approval or a launch that is waited for keeps nothing that is held already from being ordered.
        if dropping or any(piece.state == "holding" for piece in self.live):
            return
        ready = [piece for piece in self.live if piece.state in ("planned", "held")]
        if ready and order.approved:
            self.steps.append(ConfirmHeld(tuple(piece.piece_id for piece in ready)))

    def _source(self, waiting: Iterable[PieceRow]) -> None:
        order, policy = self.order, self.policy
        if order.approved == 0:
            if policy.doubt_seconds and waits_in_doubt(order, self.pieces):
                self.until.append(self.at + policy.doubt_seconds * SECOND)
            return
        if self.launch_at is not None and self.at < self.launch_at:
            self.until.append(self.launch_at)
            return
        if order.sourced >= policy.sourcings_max and self.rest:
            self.steps.append(AskHuman(f"it was sourced {order.sourced} times, and is still not whole"))
            return
        wanted = dict(self.rest)
        back: dict[str, int] = {}
        for piece in waiting:
            back[piece.line_id] = back.get(piece.line_id, 0) + piece.quantity
            wanted[piece.line_id] = wanted.get(piece.line_id, 0) + piece.quantity
        self.steps.append(Source(wanted, back))

    def end(self) -> None:
        """Whether it is over; else until when nothing is due."""
        if any(not isinstance(step, AskHuman) for step in self.steps):
            return
        if not self.rest and all(piece.state == "delivered" for piece in self.live):
            self.steps.append(MarkDone() if self.live else MarkCancelled())
            return
        self.steps.append(Wait(min(self.until, default=None)))


def _refused_to_cancel(fact: PieceFact) -> bool:
    """Whether a partner that has not answered the order has answered a request for less: it is not asked again."""
    return bool(fact.unanswered) and fact.cancel_ever and not fact.cancel_open


_NOTHING = PieceFact()
