"""One live stream with one partner, for the side that dialled and the side that answered alike.

Three tasks share a session: the reader turns bytes into frames and hands them on, the applier waits for the store in
the order of arrival, the writer sends receipts first, then answers and queries, then batches. The store's one writer
takes use cases in the order in which they were given, so batches of one stream are taken in order although two may wait
for one commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from node import wire
from node.app.links.exchange import Opening, Refusal, Taken
from node.core import link
from node.core.document.common import Reason
from node.errors import HansaError, RefusedError, UnavailableError
from node.ports import Transaction
from node.transport.contract import SUPERSEDED, UNAVAILABLE, Duplex, Ended, Move, Services, StreamLostError, TokenBucket

__all__ = ["Session"]

Result = TypeVar("Result")
Applied = TypeVar("Applied", link.Batch, link.Receipt)
_log = logging.getLogger("hansa.link")


class Session:
    """One stream with one partner, from hello to goodbye. `run` it once."""

    def __init__(
        self,
        services: Services,
        partner_id: str,
        duplex: Duplex,
        *,
        dialled: bool,
        tls_keys: frozenset[bytes] = frozenset(),
        bucket: TokenBucket | None = None,
    ) -> None:
        self.partner_id = partner_id
        self.dialled = dialled
        self.tls_keys = tls_keys
        self.opened_at: datetime | None = None
        self.opened = False
        self.finished = asyncio.Event()
        self._services = services
        self._limits = services.limits
        self._duplex = duplex
        self._bucket = bucket or TokenBucket(services.limits.queries_per_second)
        self._ended: Ended | None = None
        self._goodbye: link.Goodbye | None = None
        self._over = asyncio.Event()
        self._wake = asyncio.Event()
        self._more = True
        self._look_for_receipts = False
        self._after = 0
        self._forming = False
        self._formed: link.Batch | None = None
        self._in_flight: deque[tuple[int, float]] = deque()
        self._receipts: deque[link.Receipt] = deque()
        self._receipt_sequence = 0
        self._receipts_sent = asyncio.Event()
        self._talk: deque[link.Frame] = deque()
        self._room = asyncio.Semaphore(services.limits.applying_max)
        self._applying: asyncio.Queue[asyncio.Task[Callable[[], None]]] = asyncio.Queue()
        self._asked: dict[int, asyncio.Future[link.Answer]] = {}
        self._last_query = 0
        self._answering = 0
        self._first: asyncio.Task[bytes | None] | None = None
        self._work: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"<Session {self.partner_id} {'dialled' if self.dialled else 'answered'}>"

    # --- what others may ask of a session -----------------------------------------------------------------------------

    @property
    def ending(self) -> bool:
        """Whether the session is over or about to be."""
        return self._over.is_set()

    @property
    def in_flight(self) -> int:
        """Batches sent and not yet receipted."""
        return len(self._in_flight)

    def waiting_seconds(self) -> float:
        """How long the oldest batch in flight has been without a receipt."""
        return asyncio.get_running_loop().time() - self._in_flight[0][1] if self._in_flight else 0.0

    def wake(self) -> None:
        """Something may wait to be sent to this partner."""
        self._more = self._look_for_receipts = True
        self._wake.set()

    def stop(self, reason: Reason) -> None:
        """End the session: what the store has begun is finished, the partner is told why. Does not wait."""
        self._finish(reason, Move.PARTNERS, tell=True)

    def abort(self, text: str) -> None:
        """The stream is gone, and nobody can be told."""
        self._finish(Reason(code="stream-lost", text=text), Move.NOBODYS, tell=False)

    async def ask(self, query: link.Query, seconds: float) -> link.Answer:
        """The partner's answer. Raises UnavailableError when none comes in time, or the session ends before."""
        if not self.opened or self.ending:
            raise UnavailableError(f"{self.partner_id} is not connected", hint="Try again when the link is up.")
        if len(self._asked) >= self._limits.queries_open_max:
            raise UnavailableError(f"too many open queries to {self.partner_id}", hint="Ask again in a moment.")
        self._last_query += 1
        number = self._last_query
        future: asyncio.Future[link.Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        self._talk.append(replace(query, id=number))
        self._wake.set()
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            text = f"{self.partner_id} did not answer within {seconds:g} s"
            raise UnavailableError(text, hint="Ask again, or use what the partner last reported.") from None
        finally:
            del self._asked[number]

    # --- the life of a session ----------------------------------------------------------------------------------------

    async def run(self) -> Ended:
        """Say hello, exchange until one side ends, and return why. Raises nothing, but may be cancelled."""
        tasks: list[asyncio.Task[Any]] = []
        try:
            if not self.ending:
                await self._guarded(self._open())
            tasks = [asyncio.create_task(self._guarded(work)) for work in (self._read_all(), self._write_all())]
            if self.opened:
                self._services.events.opened(self)
                tasks.append(asyncio.create_task(self._guarded(self._apply_all())))
            await self._over.wait()
            await self._part(reader=tasks[0], writer=tasks[1])
        finally:
            self.abort("the session was cancelled")
            await self._settle(tasks)
        assert self._ended is not None
        ended = replace(self._ended, opened=self.opened)
        self.finished.set()
        self._services.events.ended(self, ended)
        return ended

    async def _open(self) -> None:
        """Exchange hellos and compare positions: afterwards the session is open, or it is over."""
        services = self._services
        ours = await services.store.write_async(lambda tx: services.exchange.hello(tx, services.ctx, self.partner_id))
        first = self._first = asyncio.create_task(self._greet(ours))
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait({first, over}, timeout=self._limits.hello_seconds, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if self.ending:
            return
        if not first.done():
            # The read goes on, because taking it back would break the stream before we have said why.
            text = f"no hello within {self._limits.hello_seconds:g} s"
            self._finish(Reason(code="hello-timeout", text=text, language="en"), Move.NOBODYS, tell=True)
            return
        body = first.result()
        if body is None:
            self.abort("the partner hung up before its hello")
            return
        theirs = await self._decoded(body)
        if isinstance(theirs, link.Goodbye):
            self._partner_left(theirs)
            return
        if not isinstance(theirs, link.Hello):
            raise RefusedError(f"the first frame must be a hello, not a {type(theirs).__name__}", code="no-hello")
        self._check(ours, theirs)
        opening = await services.store.write_async(
            lambda tx: services.exchange.open_session(tx, services.ctx, self.partner_id, theirs)
        )
        if isinstance(opening, Refusal):
            self._refuse(opening)
        else:
            self._go_on_from(opening, theirs)

    async def _greet(self, ours: link.Hello) -> bytes | None:
        await self._duplex.write(wire.encode_frame(ours))
        return await self._duplex.read()

    def _check(self, ours: link.Hello, theirs: link.Hello) -> None:
        """What needs no store: the hello is by whom the TLS identity says, to us, about this link."""
        if link.WIRE_VERSION not in theirs.versions:
            text = f"we speak wire version {link.WIRE_VERSION}, the hello offers {list(theirs.versions)}"
            raise RefusedError(text, code="unknown-version")
        if theirs.sender != self.partner_id:
            text = f"the hello is from {theirs.sender!r}, the TLS key is {self.partner_id!r}'s"
            raise RefusedError(text, code="wrong-sender")
        if theirs.receiver != ours.sender:
            raise RefusedError(f"the hello is to {theirs.receiver!r}, we are {ours.sender!r}", code="wrong-receiver")
        if theirs.link_id != ours.link_id:
            text = "the link id differs: one side holds another first card of the other; compare fingerprints again"
            raise RefusedError(text, code="wrong-link")

    def _go_on_from(self, opening: Opening, theirs: link.Hello) -> None:
        self._after = opening.resume_after
        self._receipt_sequence = theirs.outgoing.receipt_sequence if theirs.outgoing else 0
        if opening.receipts:
            self._receipts.extend(opening.receipts)
            self._receipt_sequence = wire.decode(link.ReceiptBody, opening.receipts[-1].body).sequence
        self.opened = not self.ending
        self.opened_at = self._services.ctx.now()

    async def _part(self, reader: asyncio.Task[Any], writer: asyncio.Task[Any]) -> None:
        """Say goodbye behind the writer's last frame and hear the partner hang up; each only for a while."""
        seconds = self._limits.goodbye_seconds
        await asyncio.wait({writer}, timeout=seconds)
        if not writer.done():
            return
        try:
            async with asyncio.timeout(seconds):
                if self._goodbye is not None:
                    await self._duplex.write(wire.encode_frame(self._goodbye))
                await self._duplex.end()
                if self._goodbye is not None and self._ended is not None and self._ended.reason.code != SUPERSEDED:
                    await asyncio.wait({reader})
        except (TimeoutError, StreamLostError):
            _log.debug("the goodbye may not have arrived", extra={"partner": self.partner_id})

    async def _settle(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        """End what runs. What the store has begun is waited for: positions must stand still before a new hello."""
        ours = [*tasks, self._first] if self._first is not None else list(tasks)
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
        while self._work:
            await asyncio.wait(self._work)

    def _finish(self, reason: Reason, move: Move, *, tell: bool) -> None:
        """Decide, once, why the session ends; everything else follows from `_over`."""
        if self._over.is_set():
            return
        self._ended = Ended(reason, Move.after(reason, move))
        self._goodbye = link.Goodbye(reason=reason) if tell else None
        self._over.set()
        self._wake.set()
        for future in self._asked.values():
            if not future.done():
                text = f"the connection to {self.partner_id} ended: {reason.text or reason.code}"
                future.set_exception(UnavailableError(text, hint="Try again when the link is up."))

    def _refuse(self, refusal: Refusal) -> None:
        self._finish(refusal.reason(), Move.OURS if refusal.stopped else Move.PARTNERS, tell=True)

    def _partner_left(self, goodbye: link.Goodbye) -> None:
        said = goodbye.reason or Reason(code="no-reason", text="the partner gave no reason")
        self._finish(replace(said, code=said.code[:50], text=said.text[:1000]), Move.OURS, tell=False)

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Run a part of the session; whatever goes wrong in it ends the session with a reason."""
        try:
            await work
        except StreamLostError as error:
            self.abort(str(error))
        except RefusedError as error:
            self._finish(Reason(code=error.code, text=error.message, language="en"), Move.PARTNERS, tell=True)
        except HansaError as error:
            _log.warning("session: %s", error.message, extra={"partner": self.partner_id, "hint": error.hint})
            self._finish(Reason(code=UNAVAILABLE, text="not now; please try again"), Move.NOBODYS, tell=True)
        except Exception:
            _log.exception("session failed", extra={"partner": self.partner_id})
            self._finish(Reason(code="internal-error", text="a fault on our side, logged here"), Move.OURS, tell=True)

    def _spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start work with the store that is never taken back once begun."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled():
            task.exception()

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read_all(self) -> None:
        if self._first is not None and not self._first.done():
            await asyncio.wait({self._first})
        while True:
            body = await self._duplex.read()
            if body is None:
                await self._all_applied()
                self.abort("the partner hung up")
                return
            if not self.ending:
                await self._dispatch(await self._decoded(body))

    async def _decoded(self, body: bytes) -> link.Frame:
        """The frame; big ones are read off the loop. Raises RefusedError."""
        if len(body) < self._limits.large_frame_bytes:
            return wire.decode_frame(body)
        return await asyncio.to_thread(wire.decode_frame, body)

    async def _dispatch(self, frame: link.Frame) -> None:
        match frame:
            case link.Batch():
                await self._apply(frame, self._take_batch)
            case link.Receipt():
                await self._apply(frame, self._take_receipt)
            case link.Query():
                self._partner_asks(frame)
            case link.Answer():
                future = self._asked.get(frame.id)
                if future is not None and not future.done():
                    future.set_result(frame)
            case link.Goodbye():
                self._partner_left(frame)
            case link.Hello():
                raise RefusedError("a second hello on one stream", code="second-hello")

    def _partner_asks(self, query: link.Query) -> None:
        if len(self._talk) > 2 * self._limits.queries_open_max:
            raise RefusedError("questions come, but their answers are not read", code="too-many-queries")
        if not self._bucket.take(self._services.ctx.now_micros()):
            text = f"at most {self._limits.queries_per_second:g} questions per second are answered"
            self._say(link.Answer(id=query.id, refused=Reason(code="too-many-queries", text=text, language="en")))
        elif query.ping:
            self._say(link.Answer(id=query.id, pong=True))
        elif self._answering >= self._limits.queries_open_max:
            text = f"{self._answering} of your questions are open already"
            self._say(link.Answer(id=query.id, refused=Reason(code="too-many-queries", text=text, language="en")))
        else:
            self._answering += 1
            self._spawn(self._guarded(self._answer(query)))

    async def _answer(self, query: link.Query) -> None:
        services = self._services
        try:
            answer = await services.store.read_async(
                lambda tx: services.exchange.answer(tx, services.ctx, self.partner_id, query)
            )
        except RefusedError as error:
            reason = Reason(code=error.code, text=error.message, language="en")
            answer = link.Answer(refused=reason)
        finally:
            self._answering -= 1
        self._say(replace(answer, id=query.id))

    def _say(self, frame: link.Query | link.Answer) -> None:
        self._talk.append(frame)
        self._wake.set()

    # --- applying -----------------------------------------------------------------------------------------------------

    async def _apply(self, frame: Applied, how: Callable[[Applied], Coroutine[Any, Any, Callable[[], None]]]) -> None:
        """Give a batch or receipt to the store in the order of arrival; its result is looked at in that order, too."""
        await self._room.acquire()
        self._applying.put_nowait(self._spawn(how(frame)))

    async def _apply_all(self) -> None:
        while True:
            task = await self._applying.get()
            await asyncio.wait({task})
            task.result()()
            self._room.release()
            while len(self._receipts) >= self._limits.receipts_waiting_max:
                self._receipts_sent.clear()
                await self._receipts_sent.wait()

    async def _all_applied(self) -> None:
        """Wait for the results of all that was read: they may be the better reason to end."""
        if not self.ending:
            for _ in range(self._limits.applying_max):
                await self._room.acquire()

    async def _take_batch(self, batch: link.Batch) -> Callable[[], None]:
        services = self._services
        began = asyncio.get_running_loop().time()
        taken = await services.store.write_async(
            lambda tx: services.exchange.take_batch(tx, services.ctx, self.partner_id, batch)
        )
        return lambda: self._batch_taken(taken, began)

    def _batch_taken(self, taken: Taken | Refusal, began: float) -> None:
        if isinstance(taken, Refusal):
            self._refuse(taken)
            return
        sequence = wire.decode(link.ReceiptBody, taken.receipt.body).sequence
        if taken.documents == 0 and sequence <= self._receipt_sequence:
            self._receipts.append(taken.receipt)
        else:
            self._queue_receipt(sequence, taken.receipt)
        self._wake.set()
        self._services.events.taken(self, taken, asyncio.get_running_loop().time() - began)

    def _queue_receipt(self, sequence: int, receipt: link.Receipt) -> None:
        """Receipts leave in the order of their sequence; where one is missing, it was made elsewhere and is fetched."""
        if sequence == self._receipt_sequence + 1:
            self._receipts.append(receipt)
            self._receipt_sequence = sequence
        elif sequence > self._receipt_sequence:
            self._look_for_receipts = True

    async def _take_receipt(self, receipt: link.Receipt) -> Callable[[], None]:
        services = self._services
        refusal = await services.store.write_async(
            lambda tx: services.exchange.take_receipt(tx, services.ctx, self.partner_id, receipt)
        )
        return lambda: self._receipt_taken(receipt, refusal)

    def _receipt_taken(self, receipt: link.Receipt, refusal: Refusal | None) -> None:
        if refusal is not None:
            self._refuse(refusal)
            return
        number = wire.decode(link.ReceiptBody, receipt.body).number
        seconds = 0.0
        while self._in_flight and self._in_flight[0][0] <= number:
            seconds = asyncio.get_running_loop().time() - self._in_flight.popleft()[1]
        self._more = True
        self._wake.set()
        self._services.events.receipted(self, seconds)

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _write_all(self) -> None:
        """Send what there is, receipts first. The store is asked beside this, so a slow one delays no answer."""
        while not self.ending:
            self._wake.clear()
            if self._receipts:
                await self._duplex.write(wire.encode_frame(self._receipts.popleft()))
                self._receipts_sent.set()
            elif self._talk:
                await self._duplex.write(_fitting(self._talk.popleft()))
            elif self._formed is not None:
                batch, self._formed = self._formed, None
                await self._duplex.write(wire.encode_frame(batch))
                self._services.events.sent(self, len(batch.entries))
            elif not self._forming and self._something_to_form():
                self._forming = True
                self._spawn(self._guarded(self._form()))
            else:
                await self._wake.wait()

    def _something_to_form(self) -> bool:
        return self._look_for_receipts or self._room_for_a_batch()

    def _room_for_a_batch(self) -> bool:
        return self._more and len(self._in_flight) < self._limits.batches_in_flight_max

    async def _form(self) -> None:
        """Form the next batch, if one may go, and look for receipts that were made outside this session."""
        services, after, known = self._services, self._after, self._receipt_sequence
        look, form = self._look_for_receipts, self._room_for_a_batch()
        self._look_for_receipts = False

        def receipts(tx: Transaction) -> Sequence[tuple[int, link.Receipt]]:
            return services.exchange.receipts_after(tx, self.partner_id, known) if look else ()

        def both(tx: Transaction) -> tuple[Sequence[tuple[int, link.Receipt]], tuple[link.Batch, int] | None]:
            return receipts(tx), services.exchange.next_batch(tx, services.ctx, self.partner_id, after)

        formed = None
        if form:
            self._more = False
            found, formed = await services.store.write_async(both)
        else:
            found = await services.store.read_async(receipts)
        for sequence, receipt in found:
            self._queue_receipt(sequence, receipt)
        if formed is not None:
            self._formed, self._after = formed
            self._in_flight.append((self._after, asyncio.get_running_loop().time()))
            self._more = True
        self._forming = False
        self._wake.set()


def _fitting(frame: link.Frame) -> bytes:
    """The frame's bytes; an answer that is too large for a frame becomes a refusal that says so."""
    body = wire.encode_frame(frame)
    if len(body) <= wire.FRAME_BYTES_MAX or not isinstance(frame, link.Answer):
        return body
    text = f"the answer has {len(body)} bytes; ask for fewer items at once"
    return wire.encode_frame(link.Answer(id=frame.id, refused=Reason(code="too-large", text=text, language="en")))
