"""What has become of kits that are made of components, told as if the kits of each group were one piece.

Whoever ordered kits is answered, and told of goods, in kits: one is on its way when all of its components are, and has
arrived when all of them have; it waits as long as any of them waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from node.core.customer_rows import CustomerLineRow, PieceRow
from node.core.kits import groups_of, touched, whole_of
from node.core.piece_state import DEAD, INBOUND

__all__ = ["KitPiece", "kit_pieces"]


class KitPiece(NamedTuple):
    """The kits of one group that are still wanted, as a piece. Quantities are kits, scaled."""

    piece: PieceRow
    back_ordered: int
    promised_on: str  # of those that are not back-ordered; "" for no day
    back_ordered_on: str
    failed: int  # sent, and could not be delivered


def kit_pieces(
    line: CustomerLineRow,
    lines: Collection[CustomerLineRow],
    pieces: Collection[PieceRow],
    failed: Mapping[int, int],
) -> list[KitPiece]:
    """One for each group of a kit's line that was sourced; `failed` by piece id is what could not be delivered.

    The piece's number is below zero, so that it is no other piece's: less the place of the group's first line.
    """
    found = []
    for parts in groups_of(line, lines):
        names = {part.line_id for part in parts}
        every = [piece for piece in pieces if piece.line_id in names]
        if every:
            found.append(_group(line, parts, every, failed))
    return found


def _group(
    line: CustomerLineRow, parts: list[CustomerLineRow], every: list[PieceRow], failed: Mapping[int, int]
) -> KitPiece:
    live = [piece for piece in every if piece.state not in DEAD]
    waiting = [piece for piece in live if piece.state == "back_ordered"]
    coming = [piece for piece in live if piece.state != "back_ordered"]
    going = [piece for piece in live if piece.mode not in INBOUND]
    wanted = max(part.kits for part in parts) - max(touched(part, part.cancelled) for part in parts)

    def whole(amounts: Mapping[str, int]) -> int:
        return min(wanted, *(whole_of(part, amounts.get(part.line_id, 0)) for part in parts))

    sent = _sums(going, lambda piece: min(piece.despatched, piece.quantity))
    lost = _sums(going, lambda piece: failed.get(piece.piece_id, 0))
    back = _sums(waiting, lambda piece: piece.quantity)
    carriers = {(piece.carrier, piece.service) for piece in going}
    carrier, service = carriers.pop() if len(carriers) == 1 else ("", "")
    despatched = whole(sent)
    made = every[0]._replace(
        piece_id=-parts[0].ordinal,
        line_id=line.line_id,
        unit=line.unit,
        quantity=wanted,
        wanted=wanted,
        state="accepted",
        mode="",
        despatched=despatched,
        delivered=whole(_sums(going, lambda piece: piece.delivered)),
        carrier=carrier,
        service=service,
        tracking=" ".join(dict.fromkeys(name for piece in going for name in piece.tracking.split())),
        at=max(piece.at for piece in every),
    )
    underway = {name: amount - lost.get(name, 0) for name, amount in sent.items()}
    return KitPiece(
        made,
        back_ordered=min(wanted, max(touched(part, back.get(part.line_id, 0)) for part in parts)),
        promised_on=_latest(coming),
        back_ordered_on="" if any(not one.promised_on for one in waiting) else _latest([*waiting, *coming]),
        failed=despatched - whole(underway),
    )


def _sums(pieces: Iterable[PieceRow], amount: Callable[[PieceRow], int]) -> dict[str, int]:
    """By line what the pieces come to."""
    found: dict[str, int] = {}
    for piece in pieces:
        found[piece.line_id] = found.get(piece.line_id, 0) + amount(piece)
    return found


def _latest(pieces: Iterable[PieceRow]) -> str:
    return max((piece.promised_on or "" for piece in pieces), default="")
