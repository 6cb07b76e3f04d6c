"""The running node: store, keys, links, adapters, recurring work and the control socket, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from node.config import Settings

__all__ = ["run_node"]


def run_node(home: Path, settings: Settings) -> int:
    """Run a node in the foreground until SIGTERM or SIGINT; returns the exit code.

    Raises ConfigError when something of ours is not right, UnavailableError when another process works on this home.
    """
    import asyncio
    import os

    # gRPC's own lines on standard error would stand between ours; what they say reaches us as errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from node import control, log
    from node.runtime.node import Node

    log.configure(settings.log.level, settings.log.format)

    async def whole() -> None:
        await Node(home, settings).run()

    with control.exclusive(home):
        asyncio.run(whole())
    return 0
