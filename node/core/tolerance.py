"""Whether a quantity, price or date is within what two partners' trade terms allow."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from node.core.decimals import EXACT
from node.core.document.terms import Tolerance

__all__ = ["date_fits", "exceeds", "price_fits", "quantity_fits"]

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)


def exceeds(stated: int, agreed: int, percent: Decimal | None = None) -> bool:
    """Whether `stated` is more than `agreed` plus `percent` of it (None: nothing more); both scaled, in one unit."""
    if stated <= agreed:
        return False
    if not percent:
        return True
    return EXACT.multiply(Decimal(stated), _HUNDRED) > EXACT.multiply(Decimal(agreed), EXACT.add(_HUNDRED, percent))


def quantity_fits(stated: int, agreed: int, tolerance: Tolerance | None) -> bool:
    """Whether a scaled quantity lies within `quantity_over` and `quantity_under` percent of the agreed one."""
    if stated == agreed:
        return True
    if tolerance is None:
        return False
    if stated > agreed:
        return not exceeds(stated, agreed, tolerance.quantity_over)
    under = tolerance.quantity_under or _ZERO
    return EXACT.multiply(Decimal(stated), _HUNDRED) >= EXACT.multiply(Decimal(agreed), EXACT.subtract(_HUNDRED, under))


def price_fits(stated: Decimal, agreed: Decimal, tolerance: Tolerance | None) -> bool:
    """Whether a price is at most `price` percent above the agreed one; a lower one always fits. Same currency, unit."""
    if stated <= agreed:
        return True
    percent = tolerance.price if tolerance else None
    if not percent:
        return False
    return EXACT.multiply(stated, _HUNDRED) <= EXACT.multiply(agreed, EXACT.add(_HUNDRED, percent))


def date_fits(stated: date, agreed: date, tolerance: Tolerance | None) -> bool:
    """Whether a day is at most `days_early` before and `days_late` after the agreed one."""
    early, late = (tolerance.days_early, tolerance.days_late) if tolerance else (0, 0)
    return agreed - timedelta(days=early) <= stated <= agreed + timedelta(days=late)
