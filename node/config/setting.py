"""How a setting is declared: its default, and what the manual says about it."""

from __future__ import annotations

from dataclasses import field
from typing import Any

__all__ = ["setting"]


def setting(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    example: Any = None,
    least: int | None = None,
    most: int | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a section with what the manual says about it; MISSING as default makes it required."""
    about = {
        "meaning": meaning,
        "unit": unit,
        "example": example,
        "least": least,
        "most": most,
        "choices": choices,
    }
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=about)
    return field(default=default, metadata=about)
