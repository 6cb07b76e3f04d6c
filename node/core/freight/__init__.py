"""Freight by rate tables: zones, breaks, surcharges and days on the way, as pure values and exact sums.

`table` holds the values, `pricing` prices a shipment, `holes` says what is wrong with a table, `calendar` counts days,
`quotation` holds what a carrier is asked and answers when it quotes by itself.
"""

from __future__ import annotations

from node.core.freight.calendar import Calendar, collected_on, delivered_on
from node.core.freight.holes import FATAL, findings, usable
from node.core.freight.pricing import Rate, price, quote
from node.core.freight.quotation import Quotation, Quoted, QuoteRequest, checked
from node.core.freight.table import (
    Area,
    Break,
    RateTable,
    ServiceRates,
    Shipment,
    Surcharge,
    Zone,
    normal_postal_code,
)

__all__ = [
    "FATAL",
    "Area",
    "Break",
    "Calendar",
    "Quotation",
    "QuoteRequest",
    "Quoted",
    "Rate",
    "RateTable",
    "ServiceRates",
    "Shipment",
    "Surcharge",
    "Zone",
    "checked",
    "collected_on",
    "delivered_on",
    "findings",
    "normal_postal_code",
    "price",
    "quote",
    "usable",
]
