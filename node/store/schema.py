"""The tables, made from the row types: one column per field, in the same order, and the invariants that SQL holds.

A change here needs a migration in `node/store/migrations/versions` and a new `REVISION`; a test compares both.
"""

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
from node.core.rows import (
    AliasRow,
    CardRow,
    CursorRow,
    DocumentRow,
    HandoverRow,
    HeadRow,
    LineEventRow,
    LinkRow,
    OrderLineRow,
    OrderRow,
    OwnStockRow,
    PartnerRow,
    ReceiptRow,
    ReplenishmentRuleRow,
    SnapshotRow,
    StockRow,
)
from node.store.columns import METADATA, NUMBER, ROW_NUMBER, TEXT, columns_of, index, table, words
from node.store.fulfilment_schema import (
    CUSTOMER,
    CUSTOMER_LINE,
    CUSTOMER_ORDER,
    DECISION,
    DEMAND_DAY,
    DISRUPTION,
    ERP_HOLD,
    ITEM_OFFER,
    ITEM_PRICE,
    LEAD_TIME,
    MEASURE,
    MEASURE_DAY,
    PIECE,
    PROBLEM,
    PROCESS_EVENT,
    QUOTE,
    RESERVATION,
    SITE_LOAD,
    STOCK_COUNTER,
)

__all__ = ["CONTENT_FIELDS", "DOCUMENT_COLUMNS", "METADATA", "REVISION", "TABLES"]

REVISION = "0001"
"""The newest migration: the schema that this program reads and writes."""

PARTNER = table(
    "partner",
    PartnerRow,
    ["partner_id"],
    words("state", "self", "added", "confirmed", "revoked"),
    words("usage", "TEST", "PRODUCTION"),
    index("ix_partner_self", "state", where="state = 'self'", unique=True),
)

CARD = table("card", CardRow, ["partner_id", "sequence"], clustered=False)

LINK = table(
    "link",
    LinkRow,
    ["partner_id", "direction"],
    words("direction", "in", "out"),
    words("state", "open", "stopped"),
)

STANDING = "duplicate_of IS NULL AND state <> 'refused' AND state <> 'held' AND state <> 'withdrawn'"
"""What makes a document the one that counts for its business identity: it is waiting, sent or taken, and no duplicate.

Said by what it is not, so that no planner prefers an index on states to the one on identities.
"""

_FALLEN = "state = 'refused' OR state = 'withdrawn' OR state = 'held'"
"""What somebody may look for, few among many."""

OPEN = "state <> 'taken'"
"""What is still to come to its end, or did not come to a good one."""

CONTENT_FIELDS = ("salt", "body", "personal_salt", "personal", "leaf")
"""What of a document lies in a table of its own: it is large and stays as it is, while its state is written thrice."""

_CONTENT = [column for column in columns_of(DocumentRow) if column.name in CONTENT_FIELDS]

DOCUMENT = sa.Table(
    "document",
    METADATA,
    sa.Column("document_id", ROW_NUMBER, nullable=False, autoincrement=False),
    *(column for column in columns_of(DocumentRow)[1:] if column.name not in CONTENT_FIELDS),
    # How much of the content is there: NULL once the body is erased, 0 without personal data.
    sa.Column("body_bytes", NUMBER, nullable=True),
    sa.Column("personal_bytes", NUMBER, nullable=False),
    sa.PrimaryKeyConstraint("document_id"),
    words("direction", "in", "out"),
    words("usage", "TEST", "PRODUCTION"),
    words("state", "waiting", "sent", "taken", "refused", "held", "withdrawn"),
    sa.CheckConstraint("(epoch IS NULL) = (number IS NULL)", name="numbered"),
    sa.CheckConstraint("state <> 'waiting' OR number IS NULL", name="waiting"),
    sa.CheckConstraint("number IS NOT NULL OR (state <> 'sent' AND state <> 'taken')", name="sent"),
    # A number is given once; and a business identity stands once, in test and again when it counts.
    index(
        "ix_document_number",
        *("partner_id", "direction", "epoch", "number"),
        where="number IS NOT NULL",
        unique=True,
    ),
    index(
        "ix_document_identity",
        *("partner_id", "direction", "doc_number", "type", "issuer", "unit", "series", "revision", "usage"),
        where=STANDING,
        unique=True,
    ),
    # The outbox: by urgency, with what tells how many fit into a batch, and in the order of arrival; the latter also
    # counts what is not yet settled.
    index(
        "ix_document_waiting",
        *("partner_id", "priority", "document_id", "body_bytes", "personal_bytes", "stored_at", "state"),
        where="state = 'waiting'",
    ),
    index("ix_document_open", "partner_id", "state", "document_id", where=OPEN),
    index("ix_document_held", "partner_id", "object_key", where="state = 'held'"),
    index("ix_document_fallen", "state", "document_id", where=_FALLEN),
    index("ix_document_doc_number", "doc_number"),
    index("ix_document_kept", "type", "stored_at", where="body_bytes IS NOT NULL"),
    index("ix_document_personal", "type", "stored_at", where="personal_bytes > 0"),
)

CONTENT = sa.Table(
    "content",
    METADATA,
    sa.Column("document_id", ROW_NUMBER, nullable=False, autoincrement=False),
    *_CONTENT,
    sa.PrimaryKeyConstraint("document_id"),
    sa.ForeignKeyConstraint(["document_id"], ["document.document_id"]),
)

DOCUMENT_COLUMNS = [(CONTENT if name in CONTENT_FIELDS else DOCUMENT).c[name] for name in DocumentRow._fields]
"""The columns of both tables that make a DocumentRow, in its order."""

HEAD = table(
    "head",
    HeadRow,
    ["partner_id", "direction", "epoch", "number"],
    words("direction", "in", "out"),
    clustered=False,
)

RECEIPT = table(
    "receipt",
    ReceiptRow,
    ["partner_id", "direction", "epoch", "sequence"],
    words("direction", "in", "out"),
    clustered=False,
)

HANDOVER = table(
    "handover",
    HandoverRow,
    ["document_id"],
    words("state", "waiting", "posted", "failed", "refused"),
    sa.ForeignKeyConstraint(["document_id"], ["document.document_id"]),
    index("ix_handover_due", "document_id", "type", "next_at", where="state = 'waiting'"),
    index("ix_handover_failed", "document_id", where="state = 'failed'"),
    numbered=True,
)

ORDER = table(
    "orders",  # ORDER is a word of SQL
    OrderRow,
    ["order_id"],
    words("role", "buyer", "seller"),
    words("usage", "TEST", "PRODUCTION"),
    index("ix_orders_identity", "number", "issuer", "unit", "series", "partner_id", "usage", unique=True),
    index("ix_orders_customer_order", "customer_order", where="customer_order <> ''"),
    index("ix_orders_seller_number", "seller_order_number", where="seller_order_number <> ''"),
    index("ix_orders_partner", "partner_id", "order_id"),
    numbered=True,
)

ORDER_LINE = table(
    "order_line",
    OrderLineRow,
    ["order_id", "line_id"],
    sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"]),
)

EVENTS = (
    *("accepted", "back_ordered", "rejected", "substituted", "cancelled", "despatched", "received", "short", "over"),
    *("damaged", "wrong", "invoiced", "credited", "delivered", "failed", "cancel_requested", "change_requested"),
    *("returned", "changed", "confirmation_due", "confirmed", "ready"),
)

# The last column only says in which order the events came.
LINE_EVENT = sa.Table(
    "line_event",
    METADATA,
    *columns_of(LineEventRow),
    sa.Column("event_id", ROW_NUMBER, nullable=False, autoincrement=True),
    sa.PrimaryKeyConstraint("event_id"),
    sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"]),
    words("event", *EVENTS),
    sa.CheckConstraint("standing = 0 OR standing = 1", name="standing"),
    index("ix_line_event_order", "order_id", "event_id"),
)

STOCK = table(
    "stock",
    StockRow,
    ["item_key", "partner_id", "snapshot", "location", "pool", "status"],
    index("ix_stock_snapshot", "partner_id", "snapshot"),
)

# Apart from partners' rows, and in the order of its changes: a snapshot is written at the end and read in one sweep.
OWN_STOCK = table(
    "own_stock",
    OwnStockRow,
    ["change"],
    index("ix_own_stock_key", "item_key", "location", "pool", "status", unique=True),
    numbered=True,
)

SNAPSHOT = table(
    "snapshot",
    SnapshotRow,
    ["partner_id", "snapshot"],
    words("state", "building", "current", "old"),
    index("ix_snapshot_current", "partner_id", where="state = 'current'", unique=True),
)

ALIAS = table("alias", AliasRow, ["alias", "item_number", "partner_id"], index("ix_alias_item", "item_number"))

RULE = table("replenishment_rule", ReplenishmentRuleRow, ["item_key", "location"])

CURSOR = table("adapter_cursor", CursorRow, ["adapter"])

META = sa.Table(
    "meta",
    METADATA,
    sa.Column("name", TEXT, nullable=False),
    sa.Column("value", TEXT, nullable=False),
    sa.PrimaryKeyConstraint("name"),
)

# Sequences of SQL would leave gaps and are not on both engines; one writer needs none.
COUNTER = sa.Table(
    "counter",
    METADATA,
    sa.Column("name", TEXT, nullable=False),
    sa.Column("value", NUMBER, nullable=False),
    sa.PrimaryKeyConstraint("name"),
)

TABLES: dict[type, sa.Table] = {
    PartnerRow: PARTNER,
    CardRow: CARD,
    LinkRow: LINK,
    HeadRow: HEAD,
    ReceiptRow: RECEIPT,
    HandoverRow: HANDOVER,
    OrderRow: ORDER,
    OrderLineRow: ORDER_LINE,
    LineEventRow: LINE_EVENT,
    StockRow: STOCK,
    OwnStockRow: OWN_STOCK,
    SnapshotRow: SNAPSHOT,
    AliasRow: ALIAS,
    ReplenishmentRuleRow: RULE,
    ReservationRow: RESERVATION,
    ErpHoldRow: ERP_HOLD,
    StockCounterRow: STOCK_COUNTER,
    ProblemRow: PROBLEM,
    QuoteRow: QUOTE,
    CursorRow: CURSOR,
    CustomerRow: CUSTOMER,
    CustomerOrderRow: CUSTOMER_ORDER,
    CustomerLineRow: CUSTOMER_LINE,
    PieceRow: PIECE,
    DecisionRow: DECISION,
    ProcessEventRow: PROCESS_EVENT,
    PartnerMeasureRow: MEASURE,
    MeasureDayRow: MEASURE_DAY,
    LeadTimeRow: LEAD_TIME,
    DemandDayRow: DEMAND_DAY,
    SiteLoadRow: SITE_LOAD,
    ItemOfferRow: ITEM_OFFER,
    ItemPriceRow: ITEM_PRICE,
    DisruptionRow: DISRUPTION,
}
"""The table of each row type; a DocumentRow is kept in two, see `DOCUMENT_COLUMNS`."""
