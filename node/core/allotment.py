"""What a plan makes of a customer order: its units become pieces, to the unit, whatever the plan says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from node.core.customer_rows import PieceRow
from node.core.piece_state import step_to

__all__ = ["Allotted", "Chosen", "allot", "blank_piece", "drop"]


class Chosen(NamedTuple):
    """One source for a part of a line; `quantity` and `unit_cost` are scaled."""

    line_id: str
    partner_id: str
    location: str
    quantity: int
    mode: str
    promised_on: str | None
    carrier: str
    service: str
    unit_cost: int
    later: bool  # from supply of our own that has not come yet: it waits for it


@dataclass(slots=True)
class Allotted:
    """New pieces, pieces that were changed, and what of each line has no source."""

    new: list[PieceRow] = field(default_factory=list)
    changed: list[PieceRow] = field(default_factory=list)
    unfilled: dict[str, int] = field(default_factory=dict)


def blank_piece(piece_id: int, customer_order_id: int, line_id: str, quantity: int, unit: str, at: int) -> PieceRow:
    """A piece that waits for supply."""
    return PieceRow(
        piece_id=piece_id,
        customer_order_id=customer_order_id,
        line_id=line_id,
        quantity=quantity,
        wanted=quantity,
        unit=unit,
        partner_id="",
        location="",
        mode="ship",
        state="back_ordered",
        reservation_id="",
        order_id=None,
        order_line_id="",
        decision_id=None,
        promised_on=None,
        agreed_on=None,
        notice="",
        load_on=None,
        next_at=None,
        carrier="",
        service="",
        tracking="",
        despatched=0,
        delivered=0,
        unit_cost=0,
        passed=0,
        lost=0,
        inbound_id=None,
        reason="",
        at=at,
    )


def allot(
    wanted: Mapping[str, int],
    units: Mapping[str, str],
    waiting: Sequence[PieceRow],
    chosen: Iterable[Chosen],
    *,
    customer_order_id: int,
    decision_id: int | None,
    back_order: bool,
    at: int,
    new_id: Callable[[], int],
) -> Allotted:
    """Share `wanted` (scaled, by line; the `waiting` back-ordered pieces are part of it) out over the chosen sources.

    Never more than is wanted of a line, and never less: what no source takes stays back-ordered where it was, becomes
    back-ordered with `back_order`, else is told as unfilled. `units` are the lines' units.
    """
    made = Allotted()
    left = dict(wanted)
    later: dict[str, list[Chosen]] = {}
    for one in chosen:
        quantity = min(one.quantity, left.get(one.line_id, 0))
        if quantity <= 0:
            continue
        left[one.line_id] -= quantity
        if one.later:
            later.setdefault(one.line_id, []).append(one._replace(quantity=quantity))
            continue
        piece = blank_piece(new_id(), customer_order_id, one.line_id, quantity, units[one.line_id], at)
        made.new.append(
            piece._replace(
                partner_id=one.partner_id,
                location=one.location,
                mode=one.mode,
                state="planned",
                decision_id=decision_id,
                promised_on=one.promised_on,
                carrier=one.carrier,
                service=one.service,
                unit_cost=one.unit_cost,
            )
        )
    for line_id, quantity in left.items():
        there = [piece for piece in waiting if piece.line_id == line_id]
        promised = _together(later.get(line_id, ()))
        # What is expected and was chosen waits all the same; only what nobody has, and waits not yet, is unfilled.
        fresh = max(0, quantity + sum(promised.values()) - sum(piece.quantity for piece in there))
        lost = 0 if back_order else min(fresh, quantity)
        if lost:
            made.unfilled[line_id] = lost
        blank = blank_piece(0, customer_order_id, line_id, 0, units[line_id], at)._replace(decision_id=decision_id)
        _wait(made, [*promised.items(), (("", None), quantity - lost)], there, blank, new_id)
    return made


def _together(expected: Iterable[Chosen]) -> dict[tuple[str, str | None], int]:
    """How much comes where and when, of supply of ours that is on its way."""
    found: dict[tuple[str, str | None], int] = {}
    for one in expected:
        place = (one.location, one.promised_on)
        found[place] = found.get(place, 0) + one.quantity
    return found


def _wait(
    made: Allotted,
    parts: Iterable[tuple[tuple[str, str | None], int]],
    waiting: Sequence[PieceRow],
    blank: PieceRow,
    new_id: Callable[[], int],
) -> None:
    """Let each part ((location, day), quantity) wait for its supply: in pieces that wait already, else in new ones.

    What waits already and is needed no more ends; a piece waits for one supply only, so that it is known what is owed.
    """
    there = [(piece, piece.quantity) for piece in waiting]
    used: set[int] = set()
    for (location, promised_on), quantity in parts:
        left = quantity
        while left > 0:
            piece, most = there.pop(0) if there else (blank, left)
            taken = min(left, most)
            left -= taken
            if most > taken and piece is not blank:
                there.insert(0, (piece, most - taken))
            fresh = piece is blank or piece.piece_id in used
            if fresh:
                piece = blank._replace(piece_id=new_id(), decision_id=None)
            kept = piece._replace(
                quantity=taken,
                wanted=taken,
                location=location,
                promised_on=promised_on,
                agreed_on=None,
                notice="",
                decision_id=blank.decision_id if promised_on else piece.decision_id,
                next_at=None,
            )
            used.add(kept.piece_id)
            (made.new if fresh else made.changed).append(kept)
    for piece, _ in there:
        if piece.piece_id not in used:
            state = step_to(piece.state, "dropped")
            made.changed.append(piece._replace(state=state, next_at=None, reason="sourced", at=blank.at))


def drop(piece: PieceRow, quantity: int, reason: str, at: int) -> PieceRow:
    """The piece without so many units, which belong to the line again; a piece without units is released."""
    if quantity >= piece.quantity:
        state = step_to(piece.state, "dropped")
        return piece._replace(state=state, reason=reason, next_at=None, at=at)
    left = piece.quantity - quantity
    return piece._replace(quantity=left, wanted=min(piece.wanted, left), reason=reason, at=at)
