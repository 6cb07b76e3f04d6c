"""Whether a quantity is more than what two partners' trade terms allow."""

from __future__ import annotations

from decimal import Decimal

from node.core.decimals import EXACT

__all__ = ["exceeds"]

_HUNDRED = Decimal(100)


def exceeds(stated: int, agreed: int, percent: Decimal | None = None) -> bool:
    """Whether `stated` is more than `agreed` plus `percent` of it (None: nothing more); both scaled, in one unit."""
    if stated <= agreed:
        return False
    if not percent:
        return True
    return EXACT.multiply(Decimal(stated), _HUNDRED) > EXACT.multiply(Decimal(agreed), EXACT.add(_HUNDRED, percent))
