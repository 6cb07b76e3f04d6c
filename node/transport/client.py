"""The dialling side: one dialler for each partner with an endpoint, which never gives up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import grpc
import grpc.aio

from node.core.document.common import Reason
from node.errors import HansaError
from node.ports import Random
from node.transport.contract import ALREADY_CONNECTED, Duplex, Ended, Move, StreamLostError
from node.transport.hub import Hub
from node.transport.streams import METHOD, SERVICE, DialledStream, channel_options

__all__ = ["Dialler", "pause_seconds"]

CONNECT_SECONDS = 10.0
"""How long a connection with its TLS handshake may take."""

_log = logging.getLogger("hansa.link")
_DOUBLINGS_MAX = 32


def pause_seconds(failures: int, random: Random, *, first: float, longest: float) -> float:
    """How long to wait before the next call: anything from zero to `first`, which doubles with each failure.

    Never more than `longest`. The whole range is used, so that many nodes that lost one partner come back one by one.
    """
    bound = min(longest, first * float(2 ** min(max(failures - 1, 0), _DOUBLINGS_MAX)))
    return bound * int.from_bytes(random.token(4), "big") / 2**32


class Dialler:
    """Keeps one partner connected: calls, runs the session, waits, and calls again."""

    def __init__(
        self,
        hub: Hub,
        partner_id: str,
        endpoint: str,
        *,
        credentials: Callable[[], grpc.ChannelCredentials],
        tls_keys: Callable[[], frozenset[bytes]],
        options: list[tuple[str, str | int]] | None = None,
        random: Random,
        first_seconds: float = 0.2,
        longest_seconds: float = 300.0,
        keepalive_seconds: int = 30,
    ) -> None:
        self.partner_id = partner_id
        self.endpoint = endpoint
        self.failures = 0
        self.last_error = ""
        self._hub = hub
        self._credentials = credentials
        self._tls_keys = tls_keys
        self._stopping = asyncio.Event()
        self._options = [*channel_options(keepalive_seconds), *(options or [])]
        self._random = random
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._nudge = asyncio.Event()

    def sign_of_life(self) -> None:
        """The partner is there: forget the failures, and do not wait any longer."""
        self.failures = 0
        self._nudge.set()

    def stop(self) -> None:
        """Dial no more; a session that runs is left alone."""
        self._stopping.set()
        self._nudge.set()

    async def run(self) -> None:
        """Dial until stopped or cancelled."""
        fresh = True
        while not self._stopping.is_set():
            waited = await self._hub.until_free(self.partner_id)
            if waited or not fresh:
                await self._pause()
                if self._stopping.is_set() or await self._hub.until_free(self.partner_id):
                    continue
            fresh = False
            self._note(await self.dial())

    async def _pause(self) -> None:
        seconds = pause_seconds(self.failures, self._random, first=self._first_seconds, longest=self._longest_seconds)
        self._nudge.clear()
        if self._stopping.is_set():
            return
        try:
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        except TimeoutError:
            pass

    def _note(self, ended: Ended) -> None:
        """What one call teaches about the next one."""
        code = ended.reason.code
        if ended.opened and ended.move is Move.NOBODYS:
            self.failures = 0
        elif code != ALREADY_CONNECTED:
            self.failures += 1
        text = f"{code}: {ended.reason.text}"
        if not ended.opened and text != self.last_error:
            extra = {"partner": self.partner_id, "endpoint": self.endpoint, "reason": code}
            _log.info("call: %s; calling goes on", ended.reason.text, extra=extra)
        self.last_error = "" if ended.opened else text

    async def dial(self) -> Ended:
        """Call once, and run the session to its end."""
        try:
            credentials = self._credentials()
        except HansaError as error:
            _log.error("no call: %s", error.message, extra={"partner": self.partner_id, "hint": error.hint})
            return _failed(error.message)
        async with grpc.aio.secure_channel(self.endpoint, credentials, options=self._options) as channel:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await _connected(channel, self.endpoint)
            except TimeoutError:
                return _failed(f"{self.endpoint} did not answer within {CONNECT_SECONDS:g} s")
            except StreamLostError as error:
                return _failed(str(error))
            call: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(f"/{SERVICE}/{METHOD}")

            def open_stream() -> Duplex:
                return DialledStream(call())

            return await self._hub.run(self.partner_id, open_stream, dialled=True, tls_keys=self._tls_keys())


async def _connected(channel: grpc.aio.Channel, endpoint: str) -> None:
    """Wait for the connection. Raises StreamLostError at the first failure: when to try again is for us to say."""
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        if state in (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN):
            raise StreamLostError(f"{endpoint} cannot be reached, or does not hold the TLS key on its card")
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)


def _failed(text: str) -> Ended:
    return Ended(Reason(code="unreachable", text=text, language="en"), Move.NOBODYS)
