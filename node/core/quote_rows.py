"""The row in which a carrier's answer to a question about freight is kept until it is too old."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["QuoteRow"]


class QuoteRow(NamedTuple):
    """What one carrier said to one question. Instants are microseconds since 1970-01-01 UTC."""

    carrier: str  # its name in the settings
    question: str  # places, weight and currency as one text
    offers: str  # JSON list of [service, cost, transit_days]; empty when it gave none
    findings: str  # JSON list of [rule, text]: what was wrong with the answer
    at: int  # when it answered, or failed to
    until: int  # the answer does not count from here on
