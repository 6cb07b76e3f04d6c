"""What a node needs of the machine it runs on: time, chance, keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

__all__ = [
    "Clock",
    "Keyring",
    "Random",
    "Signer",
    "Verifier",
]


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The instant, aware and in UTC."""


class Random(Protocol):
    """The only source of randomness."""

    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""


class Signer(Protocol):
    """Our own signing key that a partner knows already."""

    @property
    def key_id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the public key."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature (64 bytes)."""


class Keyring(Protocol):
    """Our own private keys."""

    def signer(self, key_id: str) -> Signer:
        """The signer of this key. Raises ConfigError that names the missing key file."""

    def key_ids(self) -> list[str]:
        """The keys that are there, newest first."""


Verifier = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature, message) -> whether the Ed25519 signature is good."""
