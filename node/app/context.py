"""What every use case is given beside its transaction: time, chance, keys and settings."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from node.config import Settings
from node.ports import Clock, Keyring, Random, Verifier
from node.wire import micros

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """The node's surroundings, passed to every use case."""

    clock: Clock
    random: Random
    keyring: Keyring
    verify: Verifier
    settings: Settings
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("hansa"))

    def now(self) -> datetime:
        """The instant, in UTC."""
        return self.clock.now()

    def now_micros(self) -> int:
        """The instant as the store keeps it."""
        return micros(self.clock.now())
