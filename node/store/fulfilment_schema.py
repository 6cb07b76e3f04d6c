"""The tables of promising, holds, customer orders and freight, made like those of `node.store.schema`."""

from __future__ import annotations

import sqlalchemy as sa

from node.core.customer_rows import (
    CustomerLineRow,
    CustomerOrderRow,
    CustomerRow,
    DecisionRow,
    PieceRow,
    ProcessEventRow,
)
from node.core.problem_rows import ProblemRow
from node.core.promise_rows import (
    DemandDayRow,
    DisruptionRow,
    ItemOfferRow,
    ItemPriceRow,
    LeadTimeRow,
    MeasureDayRow,
    PartnerMeasureRow,
    SiteLoadRow,
)
from node.core.quote_rows import QuoteRow
from node.core.reservation_rows import ErpHoldRow, ReservationRow, StockCounterRow
from node.store.columns import METADATA, ROW_NUMBER, columns_of, index, table, words

__all__ = [
    "CUSTOMER",
    "CUSTOMER_LINE",
    "CUSTOMER_ORDER",
    "DECISION",
    "DEMAND_DAY",
    "DISRUPTION",
    "ERP_HOLD",
    "ITEM_OFFER",
    "ITEM_PRICE",
    "LEAD_TIME",
    "MEASURE",
    "MEASURE_DAY",
    "PIECE",
    "PIECE_CLAIM",
    "PROBLEM",
    "PROCESS_EVENT",
    "QUOTE",
    "RESERVATION",
    "RESERVATION_ASKED",
    "RESERVATION_DONE",
    "RESERVATION_LIVE",
    "RESERVATION_OPEN",
    "SITE_LOAD",
    "STOCK_COUNTER",
]

MEASURE = table("partner_measure", PartnerMeasureRow, ["partner_id", "measure"])

MEASURE_DAY = table("measure_day", MeasureDayRow, ["partner_id", "measure", "day"])

LEAD_TIME = table("lead_time", LeadTimeRow, ["partner_id", "stage", "days"], words("stage", "despatch", "delivery"))

DEMAND_DAY = table("demand_day", DemandDayRow, ["item_key", "day", "region", "unit"])

SITE_LOAD = table("site_load", SiteLoadRow, ["day", "partner_id", "location"])

ITEM_OFFER = table("item_offer", ItemOfferRow, ["item_key", "partner_id"], index("ix_item_offer_of", "partner_id"))

ITEM_PRICE = table("item_price", ItemPriceRow, ["item_key", "partner_id", "currency", "minimum", "valid_from"])

DISRUPTION = table(
    "disruption",
    DisruptionRow,
    ["partner_id", "number", "line_id"],
    words("kind", "delay", "shortage", "capacity", "closure", "recovered"),
    words("state", "in_force", "ended"),
    index("ix_disruption_in_force", "item_key", where="state = 'in_force'"),
    index("ix_disruption_root", "root_id"),
)

RESERVATION_LIVE = "state = 'granted' OR state = 'partly_granted' OR state = 'pending'"
"""Holds that count until their time is up."""

RESERVATION_OPEN = f"state = 'requested' OR {RESERVATION_LIVE}"
"""What ends by itself when its time is up."""

RESERVATION_DONE = (
    "state <> 'requested' AND state <> 'granted' AND state <> 'partly_granted' AND state <> 'pending' "
    "AND state <> 'confirmed'"
)
"""What can be forgotten in time."""

RESERVATION_ASKED = "state = 'requested' OR state = 'granted' OR state = 'partly_granted' OR state = 'confirmed'"
"""Of a requester's: what a partner's figures may not tell of yet."""

RESERVATION = table(
    "reservation",
    ReservationRow,
    ["reservation_id", "partner_id", "role"],
    words("role", "grantor", "requester", "own"),
    words(
        "state",
        *("requested", "granted", "partly_granted", "refused", "confirmed", "reflected", "released", "expired"),
        *("withdrawn", "pending"),
    ),
    sa.CheckConstraint("held >= 0 AND covered >= 0 AND covered <= held AND granted >= 0", name="amounts"),
    # Only a hold on our own stock takes something off it, and only while it stands.
    sa.CheckConstraint(
        f"held = 0 OR ((role = 'grantor' OR role = 'own') AND (state = 'confirmed' OR {RESERVATION_LIVE}))",
        name="held",
    ),
    index("ix_reservation_item", "item_key", "location", where="held > 0"),
    index("ix_reservation_covered", "item_key", where="covered > 0"),
    index("ix_reservation_asked", "item_key", "at", where=f"role = 'requester' AND ({RESERVATION_ASKED})"),
    index("ix_reservation_due", "expires_at", where=RESERVATION_OPEN),
    index("ix_reservation_partner", "partner_id", "item_key", where=RESERVATION_LIVE),
    index("ix_reservation_order", "order_id", where="order_id > 0"),
    index("ix_reservation_piece", "piece_id", where="piece_id > 0"),
    index("ix_reservation_done", "at", where=RESERVATION_DONE),
)

ERP_HOLD = table(
    "erp_hold",
    ErpHoldRow,
    ["reservation_id", "partner_id", "role"],
    words("told", "nothing", "held", "refused", "ended"),
    index("ix_erp_hold_due", "adapter", "next_at", where="next_at > 0"),
    index("ix_erp_hold_late", "answer_by", where="answer_by > 0"),
)

STOCK_COUNTER = table(
    "stock_counter",
    StockCounterRow,
    ["item_key", "location"],
    sa.CheckConstraint("reserved >= 0 AND allocated >= 0 AND exposed >= 0", name="amounts"),
)

CUSTOMER = table("customer", CustomerRow, ["customer"])

CUSTOMER_ORDER = table(
    "customer_order",
    CustomerOrderRow,
    ["customer_order_id"],
    words("usage", "TEST", "PRODUCTION"),
    words(
        "state",
        *("captured", "waiting", "approval", "human", "active", "done", "cancelled", "merged", "template"),
    ),
    # A number is one of its channel's; a recurring order stands once for each of its days.
    index("ix_customer_order_number", "number", "channel", unique=True),
    index("ix_customer_order_period", "template_id", "period", where="template_id IS NOT NULL", unique=True),
    index("ix_customer_order_due", "next_at", where="next_at IS NOT NULL"),
    index("ix_customer_order_customer", "customer", "customer_order_id", where="customer <> ''"),
    index("ix_customer_order_state", "state", "customer_order_id"),
    index("ix_customer_order_origin", "origin_order_id", where="origin_order_id IS NOT NULL"),
    index("ix_customer_order_from", "origin_partner", "customer_order_id", where="origin_partner <> ''"),
    index("ix_customer_order_root", "root_id"),
    numbered=True,
)

CUSTOMER_LINE = table(
    "customer_line",
    CustomerLineRow,
    ["customer_order_id", "line_id"],
    sa.ForeignKeyConstraint(["customer_order_id"], ["customer_order.customer_order_id"]),
    sa.CheckConstraint(
        "cancelled >= 0 AND cancel_asked >= 0 AND cancelled + cancel_asked <= quantity", name="cancelled"
    ),
    index("ix_customer_line_item", "item_key", "customer_order_id"),
)

PIECE_CLAIM = (
    "reservation_id = '' AND (state = 'back_ordered' OR state = 'ordering' OR state = 'in_doubt' "
    "OR state = 'ordered' OR state = 'waiting_human' OR state = 'accepted')"
)
"""What counts on stock that no hold keeps for it."""

PIECE = table(
    "piece",
    PieceRow,
    ["piece_id"],
    sa.ForeignKeyConstraint(["customer_order_id"], ["customer_order.customer_order_id"]),
    words(
        "state",
        *("planned", "holding", "held", "ordering", "ordered", "accepted", "ready", "despatched", "delivered"),
        *("rejected", "released", "cancelling", "cancelled", "in_doubt", "back_ordered", "waiting_human", "passed_on"),
    ),
    sa.CheckConstraint("quantity >= 0 AND wanted >= 0 AND wanted <= quantity", name="quantity"),
    index("ix_piece_customer_order", "customer_order_id", "piece_id"),
    index("ix_piece_order", "order_id", where="order_id IS NOT NULL"),
    index("ix_piece_partner", "partner_id", "customer_order_id"),
    index("ix_piece_claim", "customer_order_id", "line_id", where=PIECE_CLAIM),
    index("ix_piece_back_ordered", "customer_order_id", where="state = 'back_ordered'"),
    numbered=True,
)

DECISION = table(
    "decision",
    DecisionRow,
    ["decision_id"],
    sa.ForeignKeyConstraint(["customer_order_id"], ["customer_order.customer_order_id"]),
    index("ix_decision_customer_order", "customer_order_id", "decision_id"),
    numbered=True,
)

PROCESS_EVENT = sa.Table(
    "process_event",
    METADATA,
    *columns_of(ProcessEventRow),
    sa.Column("event_id", ROW_NUMBER, nullable=False, autoincrement=True),
    sa.PrimaryKeyConstraint("event_id"),
    sa.ForeignKeyConstraint(["customer_order_id"], ["customer_order.customer_order_id"]),
    index("ix_process_event_customer_order", "customer_order_id", "event_id"),
)

PROBLEM = table("past_problem", ProblemRow, ["decision_id"], index("ix_past_problem_at", "at"), numbered=True)

QUOTE = table("freight_quote", QuoteRow, ["carrier", "question"], index("ix_freight_quote_until", "until"))
