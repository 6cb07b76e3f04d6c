"""The same traffic through NATS JetStream, where `nats-server` and the `nats` client are installed: unsigned.

Publish to a file store and consume with acknowledgements, publisher and consumer in two processes. The server syncs its
file every two minutes by default, where the exchange syncs before every receipt.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import time
from pathlib import Path

from scripts.benching.companies import free_port, run_child

__all__ = ["available", "consume", "documents_per_s"]

STREAM = "orders"
CHUNK = 128


def available() -> str:
    """Why the comparison cannot be made here, or "" when it can."""
    if shutil.which("nats-server") is None:
        return "nats-server is not installed"
    if importlib.util.find_spec("nats") is None:
        return "the Python package nats-py is not installed"
    return ""


async def consume(port: int, count: int) -> None:
    """The other process: takes and acknowledges `count` messages, and says when it has them all."""
    import nats

    connection = await nats.connect(f"nats://127.0.0.1:{port}")
    stream = connection.jetstream()
    consumer = await stream.pull_subscribe("orders.>", durable="bench", stream=STREAM)
    print('{"ready": true}', flush=True)
    done = 0
    while done < count:
        for message in await consumer.fetch(CHUNK, timeout=30):
            await message.ack()
            done += 1
    await connection.flush()
    print('{"done": true}', flush=True)
    await connection.close()


async def documents_per_s(folder: Path, script: str, body: bytes, count: int) -> float:
    """Messages of this body per second, from the first publish to the last acknowledgement of the consumer."""
    import nats

    port = free_port()
    server = await asyncio.create_subprocess_exec(
        "nats-server", "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(folder / "nats"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        connection = await nats.connect(f"nats://127.0.0.1:{port}", max_reconnect_attempts=50, reconnect_time_wait=0.1)
        stream = connection.jetstream()
        await stream.add_stream(name=STREAM, subjects=["orders.>"])
        async with run_child(script, "--nats-consume", f"{port}:{count}") as other:
            begun = time.perf_counter()
            for at in range(0, count, CHUNK):
                size = min(CHUNK, count - at)
                await asyncio.gather(*(stream.publish("orders.new", body) for _ in range(size)))
            await other.line()
            seconds = time.perf_counter() - begun
        await connection.close()
        return count / seconds
    finally:
        server.terminate()
        await server.wait()
