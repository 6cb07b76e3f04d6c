"""Items and their prices, as one partner offers them to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from node.core.document.common import (
    Address,
    DocumentHeader,
    ItemProperty,
    ItemRef,
    Measure,
    Period,
    Price,
    Tax,
    Trace,
)
from node.core.document.ware import Certificate, Classification, DangerousGoods
from node.core.quantity import Quantity


class ItemStatus(StrEnum):
    """Where an item stands in its life."""

    UNSPECIFIED = "UNSPECIFIED"
    ACTIVE = "ACTIVE"
    PLANNED = "PLANNED"
    DISCONTINUED = "DISCONTINUED"
    DELETED = "DELETED"


class ItemRelation(StrEnum):
    """How another item relates to this one."""

    UNSPECIFIED = "UNSPECIFIED"
    ACCESSORY = "ACCESSORY"
    REQUIRED = "REQUIRED"
    COMPONENT = "COMPONENT"
    ALTERNATIVE = "ALTERNATIVE"


class CatalogueAction(StrEnum):
    """What a line of a catalogue does to the receiver's copy of it."""

    UNSPECIFIED = "UNSPECIFIED"
    ADD = "ADD"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


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
class KitComponent:
    """An item and how much of it is in one kit."""

    item: ItemRef | None = None
    quantity: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class CatalogueLine:
    """One item, how it is packed, and what it costs the receiver."""

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
    classifications: tuple[Classification, ...] = ()
    orderable: bool = False
    # Ordered and priced in different units, so that the billed quantity is known on delivery only.
    catch_weight: bool = False
    # How other units relate to base_unit, exactly.
    conversions: tuple[UnitConversion, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    # Further offers of the item: by quantity, by territory, or with other lead times.
    offers: tuple[Offer, ...] = ()
    order_minimum: Quantity | None = None
    order_maximum: Quantity | None = None
    order_multiple: Quantity | None = None
    # The unit that is ordered, when it is not base_unit.
    order_unit: str = ""
    related: tuple[RelatedItem, ...] = ()
    keywords: tuple[str, ...] = ()
    warranty: str = ""
    # Prices of comparable quantities, such as a litre.
    comparison_prices: tuple[Price, ...] = ()
    # Whether the item is under contract, as a code of the partners' (Peppol: "CT").
    transaction_conditions: str = ""
    trace: tuple[Trace, ...] = ()
    measures: tuple[Measure, ...] = ()
    # Pack level, such as "CU" for a consumer unit (GS1).
    pack_level: str = ""
    # Adds, changes or takes away the line; unspecified: adds or replaces.
    action: CatalogueAction = CatalogueAction.UNSPECIFIED


@dataclass(frozen=True, kw_only=True)
class ItemCatalogue:
    """What one partner offers another, and at which prices."""

    header: DocumentHeader | None = None
    validity: Period | None = None
    currency: str = ""
    lines: tuple[CatalogueLine, ...] = ()
    # Whole: items not listed are no longer offered. Otherwise lines are added or replaced.
    whole: bool = False
    contract: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class UnitConversion:
    """numerator / denominator of the item's base unit are one unit."""

    unit: str = ""
    numerator: int = 0
    denominator: int = 0


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A price with the conditions that it holds under."""

    price: Price | None = None
    minimum: Quantity | None = None
    maximum: Quantity | None = None
    lead_time: Quantity | None = None
    territory: Address | None = None


@dataclass(frozen=True, kw_only=True)
class RelatedItem:
    """Another item that goes with this one."""

    relation: ItemRelation = ItemRelation.UNSPECIFIED
    item: ItemRef | None = None
    quantity: Quantity | None = None
