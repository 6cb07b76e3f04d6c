"""Customer orders: what our customers want of us, from any channel. Internal, never sent to a partner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from node.core.document.common import DocumentHeader, ItemRef, Note, Price, QualifiedDate
from node.core.quantity import Quantity


class CustomerOrderKind(StrEnum):
    """How the goods reach the customer."""

    UNSPECIFIED = "UNSPECIFIED"
    SHIP_TO_HOME = "SHIP_TO_HOME"
    DROP_SHIP = "DROP_SHIP"
    THIRD_PARTY = "THIRD_PARTY"
    PICK_UP = "PICK_UP"
    SHIP_FROM_STORE = "SHIP_FROM_STORE"
    TRANSFER = "TRANSFER"
    CROSS_DOCK = "CROSS_DOCK"
    PRE_ORDER = "PRE_ORDER"
    RECURRING = "RECURRING"
    REPLENISHMENT = "REPLENISHMENT"


class Preference(StrEnum):
    """What the customer would rather have."""

    UNSPECIFIED = "UNSPECIFIED"
    FASTEST = "FASTEST"
    CHEAPEST = "CHEAPEST"


class Interval(StrEnum):
    """The unit of a recurring order's interval."""

    UNSPECIFIED = "UNSPECIFIED"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """When a recurring order comes back: every so many intervals, from the first day to the last, both included."""

    interval: Interval = Interval.UNSPECIFIED
    # 0 counts as 1.
    every: int = 0
    first_on: date | None = None
    last_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class CustomerLine:
    """One item that the customer wants."""

    # Permanent: a line keeps its id through changes.
    line_id: str = ""
    item: ItemRef | None = None
    quantity: Quantity | None = None
    # What the customer pays.
    price: Price | None = None
    # The line of the kit that this one is a part of.
    parent_line: str = ""
    # All of it from one source.
    no_split: bool = False
    remaining_shelf_life_days_min: int = 0
    dates: tuple[QualifiedDate, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CustomerOrder:
    """What a customer wants, when and where. A consumer's name and address travel beside it in PersonalData."""

    header: DocumentHeader | None = None
    order_kind: CustomerOrderKind = CustomerOrderKind.UNSPECIFIED
    # Web shop, store, marketplace, partner...
    channel: str = ""
    # Pseudonymous key of the customer, the same for all of its orders.
    customer: str = ""
    # ISO 3166-1 alpha-2, and postal code, of where the goods go.
    country: str = ""
    postal_code: str = ""
    # Our location at which the customer collects, or that the goods are moved to.
    collect_at: str = ""
    dates: tuple[QualifiedDate, ...] = ()
    # The day from which a pre-order may be sent.
    launch_on: date | None = None
    # Higher goes first.
    priority: int = 0
    currency: str = ""
    lines: tuple[CustomerLine, ...] = ()
    # All of the order from one source.
    no_split: bool = False
    # Never put together with another order of the customer.
    no_merge: bool = False
    recurrence: Recurrence | None = None
    preference: Preference = Preference.UNSPECIFIED
    # A location of ours, or a partner's id, from which the customer would rather have it.
    preferred_source: str = ""
    # Key of the entry of PersonalData that says where the goods go, when it is not the only one.
    personal_key: str = ""
