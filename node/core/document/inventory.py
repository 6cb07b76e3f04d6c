"""Stock figures: always absolute values, never differences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from node.core.document.common import (
    DocumentHeader,
    ItemRef,
    LocationRef,
    Trace,
)


class StockStatus(StrEnum):
    """Condition of stock."""

    UNSPECIFIED = "UNSPECIFIED"
    AVAILABLE = "AVAILABLE"
    QUALITY = "QUALITY"
    BLOCKED = "BLOCKED"
    DAMAGED = "DAMAGED"
    IN_TRANSIT = "IN_TRANSIT"


class FigureKind(StrEnum):
    """How precisely a figure is told: as it is, at most a cap, a band's lower end, or yes/no (1 or 0)."""

    UNSPECIFIED = "UNSPECIFIED"
    EXACT = "EXACT"
    CAPPED = "CAPPED"
    BAND = "BAND"
    YES_NO = "YES_NO"


class StockBasis(StrEnum):
    """Whether orders already received are taken off the figures."""

    UNSPECIFIED = "UNSPECIFIED"
    GROSS = "GROSS"
    NET = "NET"


@dataclass(frozen=True, kw_only=True)
class ExpectedSupply:
    """Stock that is on its way to this location."""

    quantity: Decimal | None = None
    on: date | None = None
    # "purchase", "production", "transfer", "return".
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class StockLine:
    """The figures of one item at one location."""

    item: ItemRef | None = None
    # Code of one of the report's locations.
    location: str = ""
    on_hand: Decimal | None = None
    available: Decimal | None = None
    unit: str = ""
    figure: FigureKind = FigureKind.UNSPECIFIED
    # Upper end of a band, exclusive; empty when there is none.
    band_end: Decimal | None = None
    status: StockStatus = StockStatus.UNSPECIFIED
    # Empty: shared among all who may see it. Otherwise set aside for the receiver under this name.
    pool: str = ""
    # Whose goods these are; empty: the sender's. What a third company owns is no supply of the sender's.
    owner: str = ""
    holder: str = ""
    as_of: datetime | None = None
    expected_supply: tuple[ExpectedSupply, ...] = ()
    trace: tuple[Trace, ...] = ()
    # What the holder's ERP sells itself between two figures, at most, of late. It is kept back of available already;
    # where it sells more at once, zero oversell does not hold. Only with an exact figure.
    exposed: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot is swapped in whole: absent inside its scope means zero, outside it unknown."""

    id: str = ""
    part: int = 0
    parts: int = 0
    # Location codes that the snapshot speaks for; empty means all that the partner shares.
    scope_locations: tuple[str, ...] = ()
    # True on the last part, where the number of parts is not known before.
    last: bool = False


@dataclass(frozen=True, kw_only=True)
class InventoryReport:
    """What one partner shows another of its stock."""

    header: DocumentHeader | None = None
    as_of: datetime | None = None
    basis: StockBasis = StockBasis.UNSPECIFIED
    # The last document number on the receiver's link whose orders the figures already include.
    reflects_through: int = 0
    snapshot: Snapshot | None = None
    locations: tuple[LocationRef, ...] = ()
    lines: tuple[StockLine, ...] = ()
