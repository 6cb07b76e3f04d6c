"""The host of operations when no node runs: this process opens the home and is the only one that works on it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from adapters.base import Adapter
from node import keyring
from node.app.context import Context
from node.app.operations import Live
from node.app.systems import loading
from node.clock import SystemClock, SystemRandom
from node.config import Settings
from node.store.database import Database, open_store

__all__ = ["LocalHost", "open_host"]


class LocalHost:
    """A home that this process has opened; implements `node.app.operations.Host` without a running node."""

    live: Live | None = None

    def __init__(self, store: Database, ctx: Context, keys: keyring.Keyring) -> None:
        self.store = store
        self.ctx = ctx
        self.keys = keys

    def backup(self, target: Path) -> str:
        """As `Host.backup`."""
        return self.store.backup(target)

    @contextlib.contextmanager
    def adapter(self, name: str, start_from: str = "") -> Iterator[Adapter]:
        """The adapter of this name."""
        settings = self.ctx.settings
        one = settings.adapter(name)
        agreed = self.store.read(lambda tx: tx.settings.get(loading.start_setting(name))) or ""
        made = loading.open_adapter(settings, one, self.ctx.clock, start_from or agreed)
        try:
            yield made
        finally:
            made.close()


@contextlib.contextmanager
def open_host(settings: Settings) -> Iterator[LocalHost]:
    """Open keys and database of the settings' home, whose lock is held. Raises ConfigError, UnavailableError."""
    keys = keyring.Keyring(settings.home / "keys", keyring.passphrase_from(os.environ))
    with contextlib.closing(open_store(settings.database_url)) as store:
        ctx = Context(
            clock=SystemClock(), random=SystemRandom(), keyring=keys, verify=keyring.verify, settings=settings
        )
        yield LocalHost(store, ctx, keys)
