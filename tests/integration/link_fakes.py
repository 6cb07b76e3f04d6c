"""Two ends of a link without database, keys or network: enough to see what a session does with them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from node import wire
from node.app.context import Context
from node.app.links.exchange import Opening, Refusal, Taken
from node.config import Settings
from node.core import link
from node.ports import Keyring, Transaction
from node.transport.contract import Duplex, Ended, Limits, Services, StreamLostError
from node.transport.session import Session

Result = TypeVar("Result")
LINK_ID = b"l" * 16
A, B = "0088:4012345000009", "0088:4012345000016"
QUICK = Limits(hello_seconds=10, goodbye_seconds=5)


class StillClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Counting:
    """Randomness that is none."""

    def __init__(self) -> None:
        self.count = 0

    def token(self, size: int) -> bytes:
        self.count += 1
        return hashlib.sha256(self.count.to_bytes(8, "big")).digest()[:size]


class InlineStore:
    """Runs use cases at once and in order; `hold` keeps writes waiting, as a slow disk does."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._turn = asyncio.Lock()
        self.writes = 0

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def write(self, use_case: Callable[[Transaction], Result]) -> Result:
        return use_case(cast("Transaction", None))

    def read(self, use_case: Callable[[Transaction], Result]) -> Result:
        return use_case(cast("Transaction", None))

    async def write_async(self, use_case: Callable[[Transaction], Result]) -> Result:
        async with self._turn:
            await self._open.wait()
            self.writes += 1
            return self.write(use_case)

    async def read_async(self, use_case: Callable[[Transaction], Result]) -> Result:
        await asyncio.sleep(0)
        return self.read(use_case)

    def close(self) -> None:
        pass


class Books:
    """One company's account of both directions: an `Exchange` in which documents are texts and nothing is signed."""

    def __init__(self, own: str, partner: str, waiting: Sequence[str] = (), *, per_batch: int = 1) -> None:
        self.own, self.partner, self.per_batch = own, partner, per_batch
        self.waiting = list(waiting)
        self.batches: list[tuple[int, link.Batch]] = []
        self.taken: list[str] = []
        self.given: list[link.Receipt] = []
        self.verified: list[link.Receipt] = []
        self.receipted = 0
        self.versions: tuple[int, ...] = (link.WIRE_VERSION,)
        self.link_id = LINK_ID
        self.receiver = partner
        self.refuse_batches: Refusal | None = None
        self.batches_seen = 0

    @property
    def number(self) -> int:
        return self.batches[-1][0] if self.batches else 0

    def hello(self, tx: Transaction, ctx: Context, partner_id: str) -> link.Hello:
        return link.Hello(
            versions=self.versions,
            link_id=self.link_id,
            sender=self.own,
            receiver=self.receiver,
            outgoing=link.Position(number=self.number, receipt_sequence=len(self.verified)),
            incoming=link.Position(number=len(self.taken), receipt_sequence=len(self.given)),
        )

    def open_session(self, tx: Transaction, ctx: Context, partner_id: str, theirs: link.Hello) -> Opening | Refusal:
        assert theirs.incoming is not None
        assert theirs.outgoing is not None
        if theirs.incoming.number > self.number or theirs.outgoing.number < len(self.taken):
            return Refusal("restored-self", "positions moved while a hello was under way", stopped=True)
        return Opening(theirs.incoming.number, tuple(self.given[theirs.outgoing.receipt_sequence :]))

    def next_batch(self, tx: Transaction, ctx: Context, partner_id: str, after: int) -> tuple[link.Batch, int] | None:
        for last, batch in self.batches:
            if last > after:
                return batch, last
        if not self.waiting:
            return None
        chosen, self.waiting = self.waiting[: self.per_batch], self.waiting[self.per_batch :]
        last = self.number + len(chosen)
        head = wire.encode(link.BatchHead(sender=self.own, receiver=self.partner, number=last))
        entries = tuple(link.BatchEntry(type="Order", body=text.encode()) for text in chosen)
        self.batches.append((last, link.Batch(head=head, signature=b"s", entries=entries)))
        return self.batches[-1][1], last

    def take_batch(self, tx: Transaction, ctx: Context, partner_id: str, batch: link.Batch) -> Taken | Refusal:
        self.batches_seen += 1
        if self.refuse_batches is not None:
            return self.refuse_batches
        last = wire.decode(link.BatchHead, batch.head).number
        if last <= len(self.taken):
            return Taken(self.given[-1], 0, False, frozenset(), False)
        if last - len(batch.entries) != len(self.taken):
            return Refusal("gap", f"we hold {len(self.taken)}, the batch ends with {last}")
        self.taken.extend(entry.body.decode() for entry in batch.entries)
        return Taken(self.give_receipt(), len(batch.entries), True, frozenset(), False)

    def give_receipt(self) -> link.Receipt:
        body = link.ReceiptBody(sequence=len(self.given) + 1, number=len(self.taken))
        self.given.append(link.Receipt(body=wire.encode(body), signature=b"s"))
        return self.given[-1]

    def take_receipt(self, tx: Transaction, ctx: Context, partner_id: str, receipt: link.Receipt) -> Refusal | None:
        body = wire.decode(link.ReceiptBody, receipt.body)
        if body.sequence <= len(self.verified):
            return None
        if body.sequence != len(self.verified) + 1:
            return Refusal("gap", f"we hold receipts up to {len(self.verified)}, this one is {body.sequence}")
        self.verified.append(receipt)
        self.receipted = body.number
        return None

    def receipts_after(self, tx: Transaction, partner_id: str, sequence: int) -> list[tuple[int, link.Receipt]]:
        return list(enumerate(self.given, start=1))[sequence:]

    def answer(self, tx: Transaction, ctx: Context, partner_id: str, query: link.Query) -> link.Answer:
        return link.Answer(availability=link.AvailabilityAnswer())


class Log:
    """What sessions told, and a way to wait until something is so."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def _tell(self, what: str, session: Session) -> None:
        self.told.append((what, session.partner_id))
        self._changed.set()

    def opened(self, session: Session) -> None:
        self._tell("opened", session)

    def taken(self, session: Session, taken: Taken, seconds: float) -> None:
        self._tell("taken", session)

    def sent(self, session: Session, documents: int) -> None:
        self._tell("sent", session)

    def receipted(self, session: Session, seconds: float) -> None:
        self._tell("receipted", session)

    def ended(self, session: Session, ended: Ended) -> None:
        self._tell(f"ended {ended.reason.code}", session)

    async def until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not so():
                self._changed.clear()
                await self._changed.wait()


class MemoryStream:
    """One end of a stream in memory with room for a few frames; `cut_after` frames in either direction it breaks."""

    def __init__(self, inbox: asyncio.Queue, outbox: asyncio.Queue, fuse: list[int | None]) -> None:
        self._inbox, self._outbox, self._fuse = inbox, outbox, fuse
        self._written: list[bytes] = []

    @property
    def written(self) -> list[link.Frame]:
        return [wire.decode_frame(frame) for frame in self._written]

    async def read(self) -> bytes | None:
        frame = await self._inbox.get()
        if isinstance(frame, StreamLostError):
            raise frame
        return cast("bytes | None", frame)

    async def write(self, frame: bytes) -> None:
        if self._fuse[0] is not None:
            if self._fuse[0] == 0:
                for queue in (self._inbox, self._outbox):
                    while not queue.empty():
                        queue.get_nowait()
                    queue.put_nowait(StreamLostError("cut"))
                raise StreamLostError("cut")
            self._fuse[0] -= 1
        await self._outbox.put(frame)
        self._written.append(frame)

    async def end(self) -> None:
        await self._outbox.put(None)


def stream_pair(*, cut_after: int | None = None, room: int = 8) -> tuple[MemoryStream, MemoryStream]:
    """Both ends of one stream."""
    there: asyncio.Queue = asyncio.Queue(room)
    back: asyncio.Queue = asyncio.Queue(room)
    fuse = [cut_after]
    return MemoryStream(there, back, fuse), MemoryStream(back, there, fuse)


def services_of(books: Books, log: Log, *, limits: Limits = QUICK, store: InlineStore | None = None) -> Services:
    """Everything a session of this company needs."""
    ctx = Context(
        clock=StillClock(),
        random=Counting(),
        keyring=cast("Keyring", None),
        verify=lambda key, signature, message: True,
        settings=Settings(),
    )
    return Services(store or InlineStore(), ctx, books, log, limits)


class Pair:
    """A session at each end of one stream in memory."""

    def __init__(
        self,
        a: Books,
        b: Books,
        *,
        cut_after: int | None = None,
        limits: Limits = QUICK,
        store_b: InlineStore | None = None,
    ) -> None:
        self.log = Log()
        self.stream_a, self.stream_b = stream_pair(cut_after=cut_after)
        self.services_a = services_of(a, self.log, limits=limits)
        self.services_b = services_of(b, self.log, limits=limits, store=store_b)
        self.session_a = Session(self.services_a, B, self.stream_a, dialled=True)
        self.session_b = Session(self.services_b, A, self.stream_b, dialled=False)
        self._runs: list[asyncio.Task[Ended]] = []

    def start(self) -> None:
        self._runs = [asyncio.create_task(session.run()) for session in (self.session_a, self.session_b)]

    async def ended(self) -> tuple[Ended, Ended]:
        """Why each of them ended, A's first."""
        async with asyncio.timeout(20):
            a, b = await asyncio.gather(*self._runs)
        return a, b


async def alone(services: Services, partner_id: str, frames: Sequence[bytes]) -> tuple[Ended, list[link.Frame]]:
    """Run one session against a partner that says `frames` and hangs up; what the session said."""
    ours, theirs = stream_pair(room=64)
    for frame in frames:
        await theirs.write(frame)
    await theirs.end()
    session = Session(services, partner_id, cast("Duplex", ours), dialled=False)
    async with asyncio.timeout(20):
        ended = await session.run()
    return ended, ours.written
