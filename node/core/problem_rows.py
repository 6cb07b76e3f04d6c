"""The row in which the problem behind a sourcing decision is kept, so that other rules can be tried on it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ProblemRow"]


class ProblemRow(NamedTuple):
    """What one decision was made of."""

    decision_id: int
    at: int  # microseconds since 1970-01-01 UTC
    problem: str  # JSON of `node.core.sourcing.problem_json`, with the one order that was decided
