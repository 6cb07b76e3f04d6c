"""The only source of time and randomness: everything else is given a clock and a random source."""

from __future__ import annotations

import os
from datetime import UTC, datetime

__all__ = ["SystemClock", "SystemRandom"]


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The instant, aware and in UTC."""
        return datetime.now(UTC)


class SystemRandom:
    """The operating system's randomness."""

    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""
        return os.urandom(size)
