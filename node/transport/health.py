"""The standard gRPC health service, for callers whose TLS key a partner's card names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

__all__ = ["WATCHES_MAX", "Health"]

WATCHES_MAX = 32
"""Watches at once. They never end, and must not take the calls that the server answers away from documents."""


class Health:
    """Answers Check and Watch; `admit` refuses unknown callers before."""

    def __init__(self, admit: Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[object]], service: str) -> None:
        self._admit = admit
        self._service = service
        self._inner = health.aio.HealthServicer()
        self._watching = 0

    def join(self, server: grpc.aio.Server) -> None:
        """Offer the service on this server."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    async def serving(self) -> None:
        """From now on the answer is SERVING."""
        for name in ("", self._service):
            await self._inner.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stopping(self) -> None:
        """From now on the answer is NOT_SERVING."""
        await self._inner.enter_graceful_shutdown()

    async def Check(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        """Whether a service is being served."""
        await self._admit(context)
        return await self._inner.Check(request, context)

    async def Watch(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """As Check, and again whenever it changes."""
        await self._admit(context)
        if self._watching >= WATCHES_MAX:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "ask Check now and then instead")
        self._watching += 1
        try:
            await self._inner.Watch(request, context)
        finally:
            self._watching -= 1

    async def List(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Not offered: there is one service."""
        await self._admit(context)
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask Check or Watch")
