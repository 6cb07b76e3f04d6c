"""The tables, made from the row types: one column per field, in the same order, and the invariants that SQL holds.

A change here needs a migration in `node/store/migrations/versions` and a new `REVISION`; a test compares both.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Any

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

__all__ = ["CONTENT_FIELDS", "DOCUMENT_COLUMNS", "METADATA", "REVISION", "TABLES"]

REVISION = "0001"
"""The newest migration: the schema that this program reads and writes."""

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# Both engines compare and sort text by its bytes, so that both give rows in the same order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger()
# Only INTEGER makes a primary key SQLite's own row number.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()

_TYPES: dict[Any, sa.types.TypeEngine[Any]] = {str: TEXT, int: NUMBER, bytes: BYTES}


def columns_of(row: type) -> list[sa.Column[Any]]:
    """One column per field of the row type, in its order; a field that may be None is a column that may be NULL."""
    columns = []
    for name, hint in typing.get_type_hints(row).items():
        kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType] or [hint]
        columns.append(sa.Column(name, _TYPES[kinds[0]], nullable=kinds[0] is not hint))
    return columns


def _table(
    name: str,
    row: type,
    key: Sequence[str],
    *parts: sa.schema.SchemaItem,
    numbered: bool = False,
    clustered: bool = True,
) -> sa.Table:
    """The table of a row type: `numbered` by one integer key, else `clustered` by its key on SQLite."""
    columns = columns_of(row)
    if numbered:
        columns[0] = sa.Column(columns[0].name, ROW_NUMBER, nullable=False, autoincrement=False)
    key_constraint = sa.PrimaryKeyConstraint(*key)
    rowid = numbered or not clustered
    return sa.Table(name, METADATA, *columns, key_constraint, *parts, sqlite_with_rowid=rowid)


def _words(column: str, *words: str) -> sa.CheckConstraint:
    """The column holds one of the words. A chain of comparisons: SQLite builds a table for every row checked by IN."""
    return sa.CheckConstraint(" OR ".join(f"{column} = '{word}'" for word in words), name=column)


def _index(name: str, *columns: str, where: str = "", unique: bool = False) -> sa.Index:
    """An index, partial where a condition is given."""
    condition = sa.text(where) if where else None
    return sa.Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


PARTNER = _table(
    "partner",
    PartnerRow,
    ["partner_id"],
    _words("state", "self", "added", "confirmed", "revoked"),
    _words("usage", "TEST", "PRODUCTION"),
    _index("ix_partner_self", "state", where="state = 'self'", unique=True),
)

CARD = _table("card", CardRow, ["partner_id", "sequence"], clustered=False)

LINK = _table(
    "link",
    LinkRow,
    ["partner_id", "direction"],
    _words("direction", "in", "out"),
    _words("state", "open", "stopped"),
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
    _words("direction", "in", "out"),
    _words("usage", "TEST", "PRODUCTION"),
    _words("state", "waiting", "sent", "taken", "refused", "held", "withdrawn"),
    sa.CheckConstraint("(epoch IS NULL) = (number IS NULL)", name="numbered"),
    sa.CheckConstraint("state <> 'waiting' OR number IS NULL", name="waiting"),
    sa.CheckConstraint("number IS NOT NULL OR (state <> 'sent' AND state <> 'taken')", name="sent"),
    # A number is given once; and a business identity stands once, in test and again when it counts.
    _index(
        "ix_document_number",
        *("partner_id", "direction", "epoch", "number"),
        where="number IS NOT NULL",
        unique=True,
    ),
    _index(
        "ix_document_identity",
        *("partner_id", "direction", "doc_number", "type", "issuer", "unit", "series", "revision", "usage"),
        where=STANDING,
        unique=True,
    ),
    # The outbox: by urgency, with what tells how many fit into a batch, and in the order of arrival; the latter also
    # counts what is not yet settled.
    _index(
        "ix_document_waiting",
        *("partner_id", "priority", "document_id", "body_bytes", "personal_bytes", "stored_at", "state"),
        where="state = 'waiting'",
    ),
    _index("ix_document_open", "partner_id", "state", "document_id", where=OPEN),
    _index("ix_document_held", "partner_id", "object_key", where="state = 'held'"),
    _index("ix_document_fallen", "state", "document_id", where=_FALLEN),
    _index("ix_document_doc_number", "doc_number"),
    _index("ix_document_kept", "type", "stored_at", where="body_bytes IS NOT NULL"),
    _index("ix_document_personal", "type", "stored_at", where="personal_bytes > 0"),
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

HEAD = _table(
    "head",
    HeadRow,
    ["partner_id", "direction", "epoch", "number"],
    _words("direction", "in", "out"),
    clustered=False,
)

RECEIPT = _table(
    "receipt",
    ReceiptRow,
    ["partner_id", "direction", "epoch", "sequence"],
    _words("direction", "in", "out"),
    clustered=False,
)

HANDOVER = _table(
    "handover",
    HandoverRow,
    ["document_id"],
    _words("state", "waiting", "posted", "failed", "refused"),
    sa.ForeignKeyConstraint(["document_id"], ["document.document_id"]),
    _index("ix_handover_due", "document_id", "type", "next_at", where="state = 'waiting'"),
    _index("ix_handover_failed", "document_id", where="state = 'failed'"),
    numbered=True,
)

ORDER = _table(
    "orders",  # ORDER is a word of SQL
    OrderRow,
    ["order_id"],
    _words("role", "buyer", "seller"),
    _words("usage", "TEST", "PRODUCTION"),
    _index("ix_orders_identity", "number", "issuer", "unit", "series", "partner_id", "usage", unique=True),
    _index("ix_orders_customer_order", "customer_order", where="customer_order <> ''"),
    _index("ix_orders_seller_number", "seller_order_number", where="seller_order_number <> ''"),
    _index("ix_orders_partner", "partner_id", "order_id"),
    numbered=True,
)

ORDER_LINE = _table(
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
    _words("event", *EVENTS),
    sa.CheckConstraint("standing = 0 OR standing = 1", name="standing"),
    _index("ix_line_event_order", "order_id", "event_id"),
)

STOCK = _table(
    "stock",
    StockRow,
    ["item_key", "partner_id", "snapshot", "location", "pool", "status"],
    _index("ix_stock_snapshot", "partner_id", "snapshot"),
)

# Apart from partners' rows, and in the order of its changes: a snapshot is written at the end and read in one sweep.
OWN_STOCK = _table(
    "own_stock",
    OwnStockRow,
    ["change"],
    _index("ix_own_stock_key", "item_key", "location", "pool", "status", unique=True),
    numbered=True,
)

SNAPSHOT = _table(
    "snapshot",
    SnapshotRow,
    ["partner_id", "snapshot"],
    _words("state", "building", "current", "old"),
    _index("ix_snapshot_current", "partner_id", where="state = 'current'", unique=True),
)

ALIAS = _table("alias", AliasRow, ["alias", "item_number", "partner_id"], _index("ix_alias_item", "item_number"))

RULE = _table("replenishment_rule", ReplenishmentRuleRow, ["item_key", "location"])

MEASURE = _table("partner_measure", PartnerMeasureRow, ["partner_id", "measure"])

MEASURE_DAY = _table("measure_day", MeasureDayRow, ["partner_id", "measure", "day"])

LEAD_TIME = _table("lead_time", LeadTimeRow, ["partner_id", "stage", "days"], _words("stage", "despatch", "delivery"))

DEMAND_DAY = _table("demand_day", DemandDayRow, ["item_key", "day", "region", "unit"])

SITE_LOAD = _table("site_load", SiteLoadRow, ["day", "partner_id", "location"])

ITEM_OFFER = _table("item_offer", ItemOfferRow, ["item_key", "partner_id"], _index("ix_item_offer_of", "partner_id"))

ITEM_PRICE = _table("item_price", ItemPriceRow, ["item_key", "partner_id", "currency", "minimum", "valid_from"])

DISRUPTION = _table(
    "disruption",
    DisruptionRow,
    ["partner_id", "number", "line_id"],
    _words("kind", "delay", "shortage", "capacity", "closure", "recovered"),
    _words("state", "in_force", "ended"),
    _index("ix_disruption_in_force", "item_key", where="state = 'in_force'"),
    _index("ix_disruption_root", "root_id"),
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

RESERVATION = _table(
    "reservation",
    ReservationRow,
    ["reservation_id", "partner_id", "role"],
    _words("role", "grantor", "requester", "own"),
    _words(
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
    _index("ix_reservation_item", "item_key", "location", where="held > 0"),
    _index("ix_reservation_asked", "item_key", "at", where=f"role = 'requester' AND ({RESERVATION_ASKED})"),
    _index("ix_reservation_due", "expires_at", where=RESERVATION_OPEN),
    _index("ix_reservation_partner", "partner_id", "item_key", where=RESERVATION_LIVE),
    _index("ix_reservation_order", "order_id", where="order_id > 0"),
    _index("ix_reservation_piece", "piece_id", where="piece_id > 0"),
    _index("ix_reservation_done", "at", where=RESERVATION_DONE),
)

ERP_HOLD = _table(
    "erp_hold",
    ErpHoldRow,
    ["reservation_id", "partner_id", "role"],
    _words("told", "nothing", "held", "refused", "ended"),
    _index("ix_erp_hold_due", "adapter", "next_at", where="next_at > 0"),
    _index("ix_erp_hold_late", "answer_by", where="answer_by > 0"),
)

STOCK_COUNTER = _table(
    "stock_counter",
    StockCounterRow,
    ["item_key", "location"],
    sa.CheckConstraint("reserved >= 0 AND allocated >= 0 AND exposed >= 0", name="amounts"),
)

CUSTOMER = _table("customer", CustomerRow, ["customer"])

CUSTOMER_ORDER = _table(
    "customer_order",
    CustomerOrderRow,
    ["customer_order_id"],
    _words("usage", "TEST", "PRODUCTION"),
    _words(
        "state",
        *("captured", "waiting", "approval", "human", "active", "done", "cancelled", "merged", "template"),
    ),
    # A number is one of its channel's; a recurring order stands once for each of its days.
    _index("ix_customer_order_number", "number", "channel", unique=True),
    _index("ix_customer_order_period", "template_id", "period", where="template_id IS NOT NULL", unique=True),
    _index("ix_customer_order_due", "next_at", where="next_at IS NOT NULL"),
    _index("ix_customer_order_customer", "customer", "customer_order_id", where="customer <> ''"),
    _index("ix_customer_order_state", "state", "customer_order_id"),
    _index("ix_customer_order_origin", "origin_order_id", where="origin_order_id IS NOT NULL"),
    _index("ix_customer_order_from", "origin_partner", "customer_order_id", where="origin_partner <> ''"),
    _index("ix_customer_order_root", "root_id"),
    numbered=True,
)

CUSTOMER_LINE = _table(
    "customer_line",
    CustomerLineRow,
    ["customer_order_id", "line_id"],
    sa.ForeignKeyConstraint(["customer_order_id"], ["customer_order.customer_order_id"]),
    sa.CheckConstraint(
        "cancelled >= 0 AND cancel_asked >= 0 AND cancelled + cancel_asked <= quantity", name="cancelled"
    ),
    _index("ix_customer_line_item", "item_key", "customer_order_id"),
)

PIECE_CLAIM = (
    "reservation_id = '' AND (state = 'back_ordered' OR state = 'ordering' OR state = 'in_doubt' "
    "OR state = 'ordered' OR state = 'waiting_human' OR state = 'accepted')"
)
"""What counts on stock that no hold keeps for it."""

PIECE = _table(
    "piece",
    PieceRow,
    ["piece_id"],
    sa.ForeignKeyConstraint(["customer_order_id"], ["customer_order.customer_order_id"]),
    _words(
        "state",
        *("planned", "holding", "held", "ordering", "ordered", "accepted", "ready", "despatched", "delivered"),
        *("rejected", "released", "cancelling", "cancelled", "in_doubt", "back_ordered", "waiting_human", "passed_on"),
    ),
    sa.CheckConstraint("quantity >= 0 AND wanted >= 0 AND wanted <= quantity", name="quantity"),
    _index("ix_piece_customer_order", "customer_order_id", "piece_id"),
    _index("ix_piece_order", "order_id", where="order_id IS NOT NULL"),
    _index("ix_piece_partner", "partner_id", "customer_order_id"),
    _index("ix_piece_claim", "customer_order_id", "line_id", where=PIECE_CLAIM),
    _index("ix_piece_back_ordered", "customer_order_id", where="state = 'back_ordered'"),
    numbered=True,
)

DECISION = _table(
    "decision",
    DecisionRow,
    ["decision_id"],
    sa.ForeignKeyConstraint(["customer_order_id"], ["customer_order.customer_order_id"]),
    _index("ix_decision_customer_order", "customer_order_id", "decision_id"),
    numbered=True,
)

PROCESS_EVENT = sa.Table(
    "process_event",
    METADATA,
    *columns_of(ProcessEventRow),
    sa.Column("event_id", ROW_NUMBER, nullable=False, autoincrement=True),
    sa.PrimaryKeyConstraint("event_id"),
    sa.ForeignKeyConstraint(["customer_order_id"], ["customer_order.customer_order_id"]),
    _index("ix_process_event_customer_order", "customer_order_id", "event_id"),
)

PROBLEM = _table("past_problem", ProblemRow, ["decision_id"], _index("ix_past_problem_at", "at"), numbered=True)

QUOTE = _table("freight_quote", QuoteRow, ["carrier", "question"], _index("ix_freight_quote_until", "until"))

CURSOR = _table("adapter_cursor", CursorRow, ["adapter"])

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
