"""What a session works with and what it tells: the stream, the link's use cases, events, limits, how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from node.app.context import Context
from node.core import link
from node.core.document.common import Reason
from node.ports import Store, Transaction

if TYPE_CHECKING:
    from node.app.links.exchange import Opening, Refusal, Taken
    from node.config import LimitSettings
    from node.transport.session import Session

__all__ = [
    "ALREADY_CONNECTED",
    "CLOSING",
    "REVOKED",
    "STALLED",
    "SUPERSEDED",
    "UNAVAILABLE",
    "Duplex",
    "Ended",
    "Events",
    "Exchange",
    "Limits",
    "Move",
    "Services",
    "StreamLostError",
    "TokenBucket",
]

ALREADY_CONNECTED = "already-connected"
CLOSING = "closing"
REVOKED = "revoked"
STALLED = "stalled"
SUPERSEDED = "superseded"
UNAVAILABLE = "unavailable"
_NOBODYS = frozenset({ALREADY_CONNECTED, CLOSING, STALLED, SUPERSEDED, UNAVAILABLE})


class StreamLostError(Exception):
    """The stream broke, whatever the reason; nothing more can be read or written."""


class Duplex(Protocol):
    """A stream of frames as raw bytes, both ways. One task reads, one writes."""

    async def read(self) -> bytes | None:
        """The next frame; None when the partner has ended. Raises StreamLostError."""

    async def write(self, frame: bytes) -> None:
        """Send a frame, waiting for room. Raises StreamLostError."""

    async def end(self) -> None:
        """Say that nothing more is written; what was written still arrives."""


class Exchange(Protocol):
    """The link's use cases; `node.app.links.exchange` is the one that runs, tests may give another."""

    def hello(self, tx: Transaction, ctx: Context, partner_id: str) -> link.Hello: ...
    def open_session(self, tx: Transaction, ctx: Context, partner_id: str, theirs: link.Hello) -> Opening | Refusal: ...
    def next_batch(
        self, tx: Transaction, ctx: Context, partner_id: str, after: int
    ) -> tuple[link.Batch, int] | None: ...
    def take_batch(self, tx: Transaction, ctx: Context, partner_id: str, batch: link.Batch) -> Taken | Refusal: ...
    def take_receipt(self, tx: Transaction, ctx: Context, partner_id: str, receipt: link.Receipt) -> Refusal | None: ...
    def receipts_after(self, tx: Transaction, partner_id: str, sequence: int) -> Sequence[tuple[int, link.Receipt]]: ...
    def answer(self, tx: Transaction, ctx: Context, partner_id: str, query: link.Query) -> link.Answer: ...


class Move(StrEnum):
    """Whose move is next when a session has ended."""

    OURS = "ours"
    PARTNERS = "partner's"
    NOBODYS = "nobody's"

    @staticmethod
    def after(reason: Reason, otherwise: Move) -> Move:
        """Nobody's when the reason only says "not now", else as given."""
        return Move.NOBODYS if reason.code in _NOBODYS else otherwise


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a session ended: the reason as it was sent or received, and whose move is next."""

    reason: Reason
    move: Move
    opened: bool = False


class Events(Protocol):
    """What a session tells its surroundings; every call is on the event loop and returns at once."""

    def opened(self, session: Session) -> None:
        """We agree with the partner's account of where both directions stand."""

    def taken(self, session: Session, taken: Taken, seconds: float) -> None:
        """A batch from the partner is stored with its effects, `seconds` after it came."""

    def sent(self, session: Session, documents: int) -> None:
        """A batch is on its way."""

    def receipted(self, session: Session, seconds: float) -> None:
        """A receipt of the partner's is verified and stored, `seconds` after its batch left (0 if sent before)."""

    def ended(self, session: Session, ended: Ended) -> None:
        """Nothing of this session runs any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one session: everything that waits is bounded, so an ill-behaved partner costs a known amount."""

    hello_seconds: float = 15.0
    """How long the partner's hello may take."""
    goodbye_seconds: float = 2.0
    """How long the last frame may take, and how long we wait for the partner to hang up after it."""
    batches_in_flight_max: int = 2
    """Batches that we send before a receipt."""
    applying_max: int = 4
    """Received batches and receipts that wait for the store; the stream is not read further meanwhile."""
    receipts_waiting_max: int = 16
    """Receipts that wait for room on the stream; no further batch is applied meanwhile."""
    queries_open_max: int = 64
    """Queries without an answer, each way."""
    queries_per_second: float = 50.0
    """Queries a partner may ask; as many may come at once."""
    large_frame_bytes: int = 524_288
    """Frames from this size on are decoded off the event loop."""

    @classmethod
    def of(cls, settings: LimitSettings) -> Limits:
        """The limits that the settings give."""
        return cls(
            hello_seconds=settings.hello_seconds,
            batches_in_flight_max=settings.batches_in_flight,
            applying_max=2 * settings.batches_in_flight,
            queries_per_second=settings.queries_per_second,
        )


class TokenBucket:
    """At most `rate` events per second, and `rate` at once (at least one)."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._size = max(rate, 1.0)
        self._tokens = self._size
        self._at: int | None = None

    def take(self, now_micros: int) -> bool:
        """Whether one more event may happen at this instant (microseconds)."""
        if self._at is not None:
            passed = max(0, now_micros - self._at) / 1e6
            self._tokens = min(self._size, self._tokens + passed * self._rate)
        self._at = now_micros
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class Services:
    """What every session of a node works with."""

    store: Store
    ctx: Context
    exchange: Exchange
    events: Events
    limits: Limits = field(default_factory=Limits)
