"""All live sessions of a node: at most one for each partner, whoever dialled.

A hello must state positions that stand still, so a partner's new session says it only after the one before has
finished. When both sides dial at once, the call of the lower participant id survives; otherwise the newest wins: the
partner would not have dialled while it held the older one for alive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from node import wire
from node.core import link
from node.core.document.common import Reason
from node.errors import UnavailableError
from node.transport.contract import (
    ALREADY_CONNECTED,
    CLOSING,
    STALLED,
    SUPERSEDED,
    UNAVAILABLE,
    Duplex,
    Ended,
    Move,
    Services,
    StreamLostError,
    TokenBucket,
)
from node.transport.session import Session

__all__ = ["Hub"]

PROBE_SECONDS = 5.0
"""How long a session may take to show that it lives, when its partner dials although we hold it for connected."""

_log = logging.getLogger("hansa.link")


class Hub:
    """Holds one place for each partner, and gives it to the session that survives."""

    def __init__(self, services: Services, own_id: str, *, sessions_max: int = 256) -> None:
        self._services = services
        self._own_id = own_id
        self._sessions_max = sessions_max
        self._sessions: dict[str, Session] = {}
        self._freed: dict[str, asyncio.Event] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._probes: set[asyncio.Task[None]] = set()
        self._closing = False

    # --- running a session --------------------------------------------------------------------------------------------

    async def run(
        self, partner_id: str, open_stream: Callable[[], Duplex], *, dialled: bool, tls_keys: frozenset[bytes]
    ) -> Ended:
        """Run a session in the partner's place, once it is free; or say on the stream why it cannot be had.

        A call of ours is not begun (`open_stream` is not called) while there is a session. `tls_keys` are the keys that
        the partner has shown or may have shown.
        """
        before = self._sessions.get(partner_id)
        refusal = self._refusal(partner_id, before, dialled=dialled)
        if refusal is not None:
            if not dialled:
                await self._decline(open_stream(), refusal)
            return Ended(refusal, Move.NOBODYS)
        bucket = self._buckets.setdefault(partner_id, TokenBucket(self._services.limits.queries_per_second))
        stream = open_stream()
        session = Session(self._services, partner_id, stream, dialled=dialled, tls_keys=tls_keys, bucket=bucket)
        self._sessions[partner_id] = session
        try:
            if before is not None:
                before.stop(Reason(code=SUPERSEDED, text="a newer call takes this one's place", language="en"))
                await before.finished.wait()
            return await session.run()
        finally:
            session.finished.set()
            if self._sessions.get(partner_id) is session:
                del self._sessions[partner_id]
                self._freed.pop(partner_id, asyncio.Event()).set()

    def _refusal(self, partner_id: str, before: Session | None, *, dialled: bool) -> Reason | None:
        if self._closing:
            return Reason(code=CLOSING, text="this node is stopping", language="en")
        if before is None:
            if len(self._sessions) < self._sessions_max:
                return None
            text = f"this node holds {self._sessions_max} sessions, which is its limit"
            return Reason(code=UNAVAILABLE, text=text, language="en")
        crossing = before.dialled and not before.ending and self._own_id < partner_id
        if not dialled and not crossing:
            return None
        if not dialled and before.opened:
            self._probe(before)
        return Reason(code=ALREADY_CONNECTED, text="the two of us are connected by another call", language="en")

    async def _decline(self, stream: Duplex, reason: Reason) -> None:
        try:
            async with asyncio.timeout(self._services.limits.goodbye_seconds):
                await stream.write(wire.encode_frame(link.Goodbye(reason=reason)))
                await stream.end()
                while await stream.read() is not None:
                    pass
        except (TimeoutError, StreamLostError):
            pass

    def _probe(self, session: Session) -> None:
        """The partner thinks that we are not connected: find out whether the session that we hold still lives."""
        task = asyncio.create_task(self._probed(session))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _probed(self, session: Session) -> None:
        try:
            await session.ask(link.Query(ping=True), PROBE_SECONDS)
        except UnavailableError as error:
            session.stop(Reason(code=STALLED, text=error.message, language="en"))

    # --- what the node may ask ----------------------------------------------------------------------------------------

    def get(self, partner_id: str) -> Session | None:
        """The session with this partner, if one is open."""
        session = self._sessions.get(partner_id)
        return session if session is not None and session.opened and not session.ending else None

    def open(self) -> list[Session]:
        """The sessions that are open, by partner."""
        return [session for name in sorted(self._sessions) if (session := self.get(name)) is not None]

    async def until_free(self, partner_id: str) -> bool:
        """Wait until there is no session with this partner; whether there was one."""
        if partner_id not in self._sessions:
            return False
        while partner_id in self._sessions:
            await self._freed.setdefault(partner_id, asyncio.Event()).wait()
        return True

    def wake(self, partner_ids: Iterable[str]) -> None:
        """Something may wait for these partners."""
        for partner_id in partner_ids:
            session = self._sessions.get(partner_id)
            if session is not None:
                session.wake()

    async def ask(self, partner_id: str, query: link.Query, seconds: float) -> link.Answer:
        """The partner's answer. Raises UnavailableError when it is not connected or does not answer in time."""
        session = self.get(partner_id)
        if session is None:
            raise UnavailableError(f"{partner_id} is not connected", hint="Try again when the link is up.")
        return await session.ask(query, seconds)

    def stop(self, partner_id: str, reason: Reason) -> None:
        """End the session with this partner, if there is one; does not wait."""
        session = self._sessions.get(partner_id)
        if session is not None:
            session.stop(reason)

    def stop_stalled(self, seconds: float) -> None:
        """End sessions in which a batch has been without a receipt for so long: a new one finds out where we stand."""
        for session in self.open():
            waited = session.waiting_seconds()
            if waited > seconds:
                text = f"a batch has had no receipt for {waited:.0f} s"
                session.stop(Reason(code=STALLED, text=text, language="en"))

    async def close(self, seconds: float) -> None:
        """Take no more sessions, end all with goodbye, and wait for them at most so long."""
        self._closing = True
        sessions = list(self._sessions.values())
        for session in sessions:
            session.stop(Reason(code=CLOSING, text="this node is stopping", language="en"))
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(session.finished.wait()) for session in sessions]
        waits.extend(self._probes)
        if waits:
            _, late = await asyncio.wait(waits, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                _log.warning("%d sessions did not end within %g s", len(late), seconds)
