"""Items and their prices, as one partner offers them to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from node.core.document.common import (
    DocumentHeader,
    ItemProperty,
    ItemRef,
    Period,
    Price,
    Tax,
)
from node.core.quantity import Quantity


class ItemStatus(StrEnum):
    """One of the schema's words; UNSPECIFIED means that it was not said."""

    UNSPECIFIED = "UNSPECIFIED"
    ACTIVE = "ACTIVE"
    PLANNED = "PLANNED"
    DISCONTINUED = "DISCONTINUED"
    DELETED = "DELETED"


@dataclass(frozen=True, kw_only=True)
class Packaging:
    """One pack level: what its GTIN contains of the next smaller one."""

    gtin: str = ""
    unit: str = ""
    contains: Quantity | None = None
    gross_weight: Quantity | None = None
    net_weight: Quantity | None = None
    length: Quantity | None = None
    width: Quantity | None = None
    height: Quantity | None = None
    order_minimum: Quantity | None = None
    order_multiple: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class DangerousGoods:
    """Dangerous goods."""

    un_number: str = ""
    hazard_class: str = ""
    packing_group: str = ""


@dataclass(frozen=True, kw_only=True)
class KitComponent:
    """Kit component."""

    item: ItemRef | None = None
    quantity: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class CatalogueLine:
    """Catalogue line."""

    line_id: str = ""
    item: ItemRef | None = None
    name: str = ""
    base_unit: str = ""
    packaging: tuple[Packaging, ...] = ()
    status: ItemStatus = ItemStatus.UNSPECIFIED
    valid_from_on: date | None = None
    valid_until_on: date | None = None
    replaced_by: ItemRef | None = None
    origin_country: str = ""
    hs_code: str = ""
    dangerous_goods: DangerousGoods | None = None
    price: Price | None = None
    tax: Tax | None = None
    lead_time_days: int = 0
    components: tuple[KitComponent, ...] = ()
    properties: tuple[ItemProperty, ...] = ()
    brand: str = ""
    classification: str = ""
    orderable: bool = False


@dataclass(frozen=True, kw_only=True)
class ItemCatalogue:
    """Item catalogue."""

    header: DocumentHeader | None = None
    validity: Period | None = None
    currency: str = ""
    lines: tuple[CatalogueLine, ...] = ()
    # Whole: items not listed are no longer offered. Otherwise lines are added or replaced.
    whole: bool = False
    contract: str = ""
