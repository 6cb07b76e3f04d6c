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
        expected = later.get(line_id, [])
        total = quantity + sum(one.quantity for one in expected)
        kept = _keep(total, [piece for piece in waiting if piece.line_id == line_id], made, at)
        fresh = total - kept
        promised = next((one for one in expected), None)
        if fresh and not back_order:
            # What is expected and was chosen waits all the same; only what nobody has is unfilled.
            made.unfilled[line_id] = min(fresh, quantity)
            fresh -= made.unfilled[line_id]
        if fresh:
            made.new.append(blank_piece(new_id(), customer_order_id, line_id, fresh, units[line_id], at))
        if promised is not None:
            _promise(made, line_id, promised, decision_id)
    made.unfilled = {line_id: quantity for line_id, quantity in made.unfilled.items() if quantity}
    return made


def _keep(total: int, waiting: Sequence[PieceRow], made: Allotted, at: int) -> int:
    """Let `total` units stay in the pieces that wait already, oldest first; the others end. Returns how many stay."""
    left = total
    for piece in waiting:
        stays = min(left, piece.quantity)
        left -= stays
        if stays:
            made.changed.append(piece._replace(quantity=stays, wanted=stays, next_at=None))
        else:
            state = step_to(piece.state, "dropped")
            made.changed.append(piece._replace(state=state, next_at=None, reason="sourced", at=at))
    return total - left


def _promise(made: Allotted, line_id: str, promised: Chosen, decision_id: int | None) -> None:
    """Tell the back-ordered pieces of a line from which supply of ours, and when, they are going to be filled."""
    for pieces in (made.new, made.changed):
        for place, piece in enumerate(pieces):
            if piece.line_id == line_id and piece.state == "back_ordered":
                pieces[place] = piece._replace(
                    location=promised.location, promised_on=promised.promised_on, decision_id=decision_id
                )


def drop(piece: PieceRow, quantity: int, reason: str, at: int) -> PieceRow:
    """The piece without so many units, which belong to the line again; a piece without units is released."""
    if quantity >= piece.quantity:
        state = step_to(piece.state, "dropped")
        return piece._replace(state=state, reason=reason, next_at=None, at=at)
    left = piece.quantity - quantity
    return piece._replace(quantity=left, wanted=min(piece.wanted, left), reason=reason, at=at)
