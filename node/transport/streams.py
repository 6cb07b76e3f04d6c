"""gRPC's two kinds of stream as one: frames as raw bytes, errors as StreamLostError. And the options of both ends."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import grpc
import grpc.aio

from node.transport.contract import StreamLostError
from node.wire import FRAME_BYTES_MAX

__all__ = ["METHOD", "SERVICE", "AnsweredStream", "DialledStream", "channel_options", "server_options"]

SERVICE = "hansa.v1.ExchangeService"
METHOD = "Exchange"

Options: TypeAlias = list[tuple[str, int]]

_LOST = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError)
_STREAMS_MAX = 8
_PING_SECONDS_MIN = 5


def _shared_options(keepalive_seconds: int) -> Options:
    return [
        ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
        ("grpc.max_send_message_length", FRAME_BYTES_MAX),
        ("grpc.keepalive_time_ms", keepalive_seconds * 1000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def server_options(keepalive_seconds: int) -> Options:
    """What our server asks of gRPC: limits, and to notice within seconds that a partner has gone silently."""
    return [
        *_shared_options(keepalive_seconds),
        # Without this two processes could listen on one port, and each would get some of the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", _STREAMS_MAX),
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_SECONDS_MIN * 1000),
    ]


def channel_options(keepalive_seconds: int) -> Options:
    """What a call of ours asks of gRPC. Each call has its own connection, so our own back-off is the only one."""
    return [
        *_shared_options(max(keepalive_seconds, _PING_SECONDS_MIN)),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.enable_http_proxy", 0),
    ]


class DialledStream:
    """The stream of a call that we made."""

    def __init__(self, call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
        self._call = call

    async def read(self) -> bytes | None:
        """The next frame; None when the partner has ended. Raises StreamLostError."""
        try:
            frame = await self._call.read()
            if isinstance(frame, bytes):
                return frame
            code = await self._call.code()
        except _LOST as error:
            raise _lost(error) from None
        if code is not grpc.StatusCode.OK:
            raise StreamLostError(_status(code, await self._call.details()))
        return None

    async def write(self, frame: bytes) -> None:
        """Send a frame, waiting for room. Raises StreamLostError."""
        try:
            await self._call.write(frame)
        except _LOST as error:
            raise _lost(error) from None

    async def end(self) -> None:
        """Say that nothing more is written."""
        try:
            await self._call.done_writing()
        except _LOST as error:
            raise _lost(error) from None


class AnsweredStream:
    """The stream of a call that a partner made. It ends when its handler returns."""

    def __init__(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        self._context = context

    async def read(self) -> bytes | None:
        """The next frame; None when the partner has ended. Raises StreamLostError."""
        try:
            frame: object = await self._context.read()
        except _LOST as error:
            raise _lost(error) from None
        return frame if isinstance(frame, bytes) else None

    async def write(self, frame: bytes) -> None:
        """Send a frame, waiting for room. Raises StreamLostError."""
        try:
            await self._context.write(frame)
        except _LOST as error:
            raise _lost(error) from None

    async def end(self) -> None:
        """Nothing to do: the end is sent behind the last frame when the handler returns."""


def _status(code: Any, details: Any) -> str:
    name = getattr(code, "name", str(code))
    return f"{name}: {str(details)[:300]}" if details else name


def _lost(error: Exception) -> StreamLostError:
    if isinstance(error, grpc.aio.AioRpcError):
        return StreamLostError(_status(error.code(), error.details()))
    return StreamLostError(str(error)[:300] or type(error).__name__)
