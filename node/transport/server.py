"""The answering side: a gRPC server that knows each caller by its TLS key before it reads anything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from node.errors import ConfigError
from node.transport.health import Health
from node.transport.hub import Hub
from node.transport.streams import METHOD, SERVICE, AnsweredStream, server_options

__all__ = ["Server"]

Context = grpc.aio.ServicerContext[Any, Any]
_log = logging.getLogger("hansa.link")


class Server:
    """Listens on one address. `spki_of` reads the caller's TLS key, `partner_of` says whose it is (None: nobody's)."""

    def __init__(
        self,
        hub: Hub,
        *,
        listen: str,
        credentials: grpc.ServerCredentials,
        spki_of: Callable[[Context], bytes | None],
        partner_of: Callable[[bytes], Awaitable[str | None]],
        keepalive_seconds: int = 30,
        calls_max: int = 512,
    ) -> None:
        self._hub = hub
        self._listen = listen
        self._credentials = credentials
        self._spki_of = spki_of
        self._partner_of = partner_of
        self._keepalive_seconds = keepalive_seconds
        self._calls_max = calls_max
        self._server: grpc.aio.Server | None = None
        self._health = Health(self._admit, SERVICE)
        self._running: set[asyncio.Task[Any]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen; `port` is then the port that was got. Raises ConfigError when the address cannot be had."""
        server = grpc.aio.server(
            options=server_options(self._keepalive_seconds), maximum_concurrent_rpcs=self._calls_max
        )
        exchange: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._exchange)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: exchange}),))
        self._health.join(server)
        try:
            self.port = server.add_secure_port(self._listen, self._credentials)
        except RuntimeError:
            raise ConfigError(
                f"node.listen: {self._listen} cannot be listened on",
                hint="Another process may hold the port (is a node running already?), or the address is not ours.",
            ) from None
        await server.start()
        await self._health.serving()
        self._server = server
        _log.info("listening on %s (port %d)", self._listen, self.port)

    async def leave(self) -> None:
        """Answer health checks with "not serving"; calls still go on."""
        if self._server is not None:
            await self._health.stopping()

    async def stop(self, seconds: float) -> None:
        """Take no more calls, and end those that still run after so long."""
        if self._server is not None:
            await self._server.stop(seconds)
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def _admit(self, context: Context) -> tuple[str, bytes]:
        """The partner that calls; an unknown caller is turned away here, before anything is read from it."""
        spki = self._spki_of(context)
        partner_id = None if spki is None else await self._partner_of(spki)
        if partner_id is None or spki is None:
            shown = spki.hex()[:16] if spki else "none"
            _log.warning("a caller was turned away: no card in force names its TLS key", extra={"tls_key": shown})
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no partner card that we hold names this TLS key")
            raise AssertionError("abort always raises")
        return partner_id, spki

    async def _exchange(self, _requests: Any, context: Context) -> None:
        partner_id, spki = await self._admit(context)
        # In a task of its own: gRPC cancels this handler when the call breaks, and the store's work must still be seen
        # to its end before the partner's next session begins.
        stream = AnsweredStream(context)
        session = asyncio.create_task(
            self._hub.run(partner_id, lambda: stream, dialled=False, tls_keys=frozenset({spki}))
        )
        self._running.add(session)
        session.add_done_callback(self._running.discard)
        await asyncio.shield(session)
