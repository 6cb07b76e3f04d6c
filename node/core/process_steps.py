"""The steps of a customer order's process: what is to be done now, decided in `node.core.fulfilment`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.core.movements import NotCollected, PassOn

__all__ = [
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
    "RefuseCancel",
    "Source",
    "Step",
    "Wait",
    "Withdraw",
]


@dataclass(frozen=True, slots=True)
class Source:
    """Find sources for these scaled quantities by line; `waiting` are the back-ordered units that are among them."""

    lines: Mapping[str, int]
    waiting: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConfirmHeld:
    """Order these pieces: everything of the order that can be had is planned or held."""

    piece_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DropPiece:
    """Let so much of a piece go that binds nobody: its hold is released."""

    piece_id: int
    quantity: int
    reason: str


@dataclass(frozen=True, slots=True)
class ExtendHold:
    """The goods are held not much longer, and the order still waits: ask for a later end."""

    piece_id: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the order back: it has no number yet, so that the partner has never seen it."""

    piece_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """The order has left and was not receipted in time."""

    piece_id: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """By explicit policy: what is in doubt is over when the order's `valid_until` is, and is sourced elsewhere."""

    piece_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class CancelPiece:
    """Ask the partner to send only `keep` of a piece. Ends with its answer."""

    piece_id: int
    keep: int
    reason: str


@dataclass(frozen=True, slots=True)
class AcceptChanges:
    """Say yes to an answer outside the tolerances."""

    piece_id: int


@dataclass(frozen=True, slots=True)
class CancelUnits:
    """So much of a line is cancelled: nobody holds it, and the customer wants it no more."""

    line_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class CancelKits:
    """So many kits of a line are given up component by component."""

    line_id: str
    kits: int


@dataclass(frozen=True, slots=True)
class RefuseCancel:
    """So much of what the customer wants less cannot be had back: it comes."""

    line_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """Without news for so long, a despatched piece counts as delivered."""

    piece_id: int


@dataclass(frozen=True, slots=True)
class AskHuman:
    """Somebody must decide; `piece_id` None: on the order as a whole, which is not sourced until then."""

    reason: str
    piece_id: int | None = None


@dataclass(frozen=True, slots=True)
class MarkDone:
    """Everything has arrived or is cancelled."""


@dataclass(frozen=True, slots=True)
class MarkCancelled:
    """Nothing is wanted any more, and nothing is on its way."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at this instant; None: only when something happens."""

    until: int | None


Step = (
    Source
    | ConfirmHeld
    | DropPiece
    | ExtendHold
    | Withdraw
    | Doubt
    | GiveUp
    | CancelPiece
    | AcceptChanges
    | CancelUnits
    | CancelKits
    | RefuseCancel
    | Delivered
    | PassOn
    | NotCollected
    | AskHuman
    | MarkDone
    | MarkCancelled
    | Wait
)
