"""The first schema: partners and links, documents and their hand-over, orders, stock."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

__all__ = ["revision", "upgrade"]

revision = "0001"
down_revision = None

# Frozen: the types as they were when this revision was made. A question mark is a column that may be NULL.
_TYPES: dict[str, Any] = {
    "text": sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
    "int": sa.BigInteger(),
    "id": sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
    "serial": sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
    "bytes": sa.LargeBinary(),
}


def _table(name: str, key: str, columns: str, *parts: sa.schema.SchemaItem, rowid: bool = False, **checks: str) -> None:
    """Create a table from `column kind, column kind?, ...`; the checks by name."""
    made: list[sa.schema.SchemaItem] = []
    for text in columns.split(","):
        column, kind = text.split()
        made.append(
            sa.Column(
                column,
                _TYPES[kind.rstrip("?")],
                nullable=kind.endswith("?"),
                autoincrement=True if kind == "serial" else "auto" if kind != "id" else False,
            )
        )
    made += [sa.CheckConstraint(condition, name=op.f(f"ck_{name}_{check}")) for check, condition in checks.items()]
    made.append(sa.PrimaryKeyConstraint(*key.split(), name=op.f(f"pk_{name}")))
    op.create_table(name, *made, *parts, sqlite_with_rowid=rowid)


def _index(name: str, table: str, columns: str, where: str = "", *, unique: bool = False) -> None:
    condition = sa.text(where) if where else None
    op.create_index(name, table, columns.split(), unique=unique, sqlite_where=condition, postgresql_where=condition)


def _words(column: str, words: str) -> str:
    return " OR ".join(f"{column} = '{word}'" for word in words.split())


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [to], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    """Create every table and index, and the counters at 0."""
    _partners()
    _documents()
    _orders()
    _stock()
    _reservations()
    _promising()
    _customer_orders()
    _quotes()
    _settings()


def _partners() -> None:
    _table(
        "partner",
        "partner_id",
        "partner_id text, name text, state text, usage text, we_live_at int?, they_live_at int?, "
        "confirmed_at int?, last_seen_at int?, last_hello text, terms text, added_at int",
        state=_words("state", "self added confirmed revoked"),
        usage=_words("usage", "TEST PRODUCTION"),
    )
    _index("ix_partner_self", "partner", "state", "state = 'self'", unique=True)
    _table(
        "card",
        "partner_id sequence",
        "partner_id text, sequence int, signed bytes, sha256 bytes, from_number int, confirmed bytes, added_at int",
        rowid=True,
    )
    _table(
        "link",
        "partner_id direction",
        "partner_id text, direction text, link_id bytes, epoch int, number int, chain bytes, "
        "receipted_number int, receipt_sequence int, receipt_sha256 bytes, oldest_number int, "
        "stock_change int, state text, reason text",
        direction=_words("direction", "in out"),
        state=_words("state", "open stopped"),
    )
    _table(
        "head",
        "partner_id direction epoch number",
        "partner_id text, direction text, epoch int, number int, chain bytes, head bytes, signature bytes",
        rowid=True,
        direction=_words("direction", "in out"),
    )
    _table(
        "receipt",
        "partner_id direction epoch sequence",
        "partner_id text, direction text, epoch int, sequence int, number int, body bytes, "
        "signature bytes, sha256 bytes, given_at int",
        rowid=True,
        direction=_words("direction", "in out"),
    )


def _documents() -> None:
    _table(
        "document",
        "document_id",
        "document_id id, partner_id text, direction text, epoch int?, number int?, type text, "
        "issuer text, unit text, doc_number text, series text, revision int, usage text, state text, "
        "duplicate_of int?, priority int, object_key text, reasons text, stored_at int, valid_until int?, "
        "body_bytes int?, personal_bytes int",
        rowid=True,
        direction=_words("direction", "in out"),
        numbered="(epoch IS NULL) = (number IS NULL)",
        sent="number IS NOT NULL OR (state <> 'sent' AND state <> 'taken')",
        state=_words("state", "waiting sent taken refused held withdrawn"),
        usage=_words("usage", "TEST PRODUCTION"),
        waiting="state <> 'waiting' OR number IS NULL",
    )
    _index("ix_document_doc_number", "document", "doc_number")
    _index(
        "ix_document_fallen",
        "document",
        "state document_id",
        "state = 'refused' OR state = 'withdrawn' OR state = 'held'",
    )
    _index("ix_document_held", "document", "partner_id object_key", "state = 'held'")
    _index(
        "ix_document_identity",
        "document",
        "partner_id direction doc_number type issuer unit series revision usage",
        "duplicate_of IS NULL AND state <> 'refused' AND state <> 'held' AND state <> 'withdrawn'",
        unique=True,
    )
    _index("ix_document_kept", "document", "type stored_at", "body_bytes IS NOT NULL")
    _index("ix_document_number", "document", "partner_id direction epoch number", "number IS NOT NULL", unique=True)
    _index("ix_document_open", "document", "partner_id state document_id", "state <> 'taken'")
    _index("ix_document_personal", "document", "type stored_at", "personal_bytes > 0")
    _index(
        "ix_document_waiting",
        "document",
        "partner_id priority document_id body_bytes personal_bytes stored_at state",
        "state = 'waiting'",
    )
    _table(
        "content",
        "document_id",
        "document_id id, salt bytes, body bytes?, personal_salt bytes, personal bytes?, leaf bytes",
        _reference("content", "document_id", "document.document_id"),
        rowid=True,
    )
    _table(
        "handover",
        "document_id",
        "document_id id, type text, state text, attempts int, next_at int, reference text, error text, posted_at int?",
        _reference("handover", "document_id", "document.document_id"),
        rowid=True,
        state=_words("state", "waiting posted failed refused"),
    )
    _index("ix_handover_due", "handover", "document_id type next_at", "state = 'waiting'")
    _index("ix_handover_failed", "handover", "document_id", "state = 'failed'")


def _orders() -> None:
    _table(
        "orders",
        "order_id",
        "order_id id, partner_id text, role text, issuer text, unit text, number text, series text, "
        "revision int, kind text, currency text, usage text, issued_at int, customer_order text, "
        "seller_order_number text, document_id int",
        rowid=True,
        role=_words("role", "buyer seller"),
        usage=_words("usage", "TEST PRODUCTION"),
    )
    _index("ix_orders_customer_order", "orders", "customer_order", "customer_order <> ''")
    _index("ix_orders_identity", "orders", "number issuer unit series partner_id usage", unique=True)
    _index("ix_orders_partner", "orders", "partner_id order_id")
    _index("ix_orders_seller_number", "orders", "seller_order_number", "seller_order_number <> ''")
    _table(
        "order_line",
        "order_id line_id",
        "order_id int, line_id text, ordinal int, kind text, gtin text, seller_number text, "
        "buyer_number text, description text, quantity int, unit text, price int?, price_base int?, "
        "requested_on text?, schedule text, document_id int",
        _reference("order_line", "order_id", "orders.order_id"),
    )
    _table(
        "line_event",
        "event_id",
        "order_id int, line_id text, document_id int, schedule_id text, event text, quantity int, "
        "unit text, on text?, reference text, detail text, at int, standing int, event_id serial",
        _reference("line_event", "order_id", "orders.order_id"),
        rowid=True,
        event=_words(
            "event",
            "accepted back_ordered rejected substituted cancelled despatched received short over "
            "damaged wrong invoiced credited delivered failed cancel_requested change_requested "
            "returned changed confirmation_due confirmed ready",
        ),
        standing="standing = 0 OR standing = 1",
    )
    _index("ix_line_event_order", "line_event", "order_id event_id")


def _stock() -> None:
    _table(
        "stock",
        "item_key partner_id snapshot location pool status",
        "item_key text, partner_id text, snapshot int, location text, pool text, status text, "
        "figure text, on_hand int?, available int?, band_end int?, unit text, gtin text, number text, "
        "expected text, as_of int, exposed int, change int",
    )
    _index("ix_stock_snapshot", "stock", "partner_id snapshot")
    _table(
        "own_stock",
        "change",
        "change id, item_key text, location text, pool text, status text, figure text, on_hand int?, "
        "available int?, band_end int?, unit text, gtin text, number text, expected text, as_of int",
        rowid=True,
    )
    _index("ix_own_stock_key", "own_stock", "item_key location pool status", unique=True)
    _table(
        "snapshot",
        "partner_id snapshot",
        "partner_id text, snapshot int, name text, parts int, state text, basis text, started_at int, as_of int",
        state=_words("state", "building current old"),
    )
    _index("ix_snapshot_current", "snapshot", "partner_id", "state = 'current'", unique=True)
    _table(
        "alias",
        "alias item_number partner_id",
        "alias text, item_number text, partner_id text",
    )
    _index("ix_alias_item", "alias", "item_number")
    _table(
        "replenishment_rule",
        "item_key location",
        "item_key text, location text, partner_id text, reorder_point int, order_up_to int, multiple int, "
        "unit text, gtin text, seller_number text, buyer_number text, requested int, requested_at int?",
    )


def _promising() -> None:
    _table(
        "partner_measure",
        "partner_id measure",
        "partner_id text, measure text, good int, bad int, good_seen int, bad_seen int, at int",
    )
    _table("measure_day", "partner_id measure day", "partner_id text, measure text, day text, good int, bad int")
    _table(
        "lead_time",
        "partner_id stage days",
        "partner_id text, stage text, days int, weight int, seen int, at int",
        stage=_words("stage", "despatch delivery"),
    )
    _table(
        "demand_day",
        "item_key day region unit",
        "item_key text, region text, day text, unit text, quantity int",
    )
    _table("site_load", "day partner_id location", "partner_id text, location text, day text, quantity int, orders int")
    _table(
        "item_offer",
        "item_key partner_id",
        "partner_id text, item_key text, base_unit text, order_minimum int?, order_multiple int?, lead_days int?, "
        "weight int?, orderable int, factors text, components text, at int",
    )
    _index("ix_item_offer_of", "item_offer", "partner_id")
    _table(
        "item_price",
        "item_key partner_id currency minimum valid_from",
        "partner_id text, item_key text, minimum int, currency text, amount int, base int, unit text, "
        "valid_from text, valid_until text, at int",
    )
    _table(
        "disruption",
        "partner_id number line_id",
        "partner_id text, number text, line_id text, kind text, item_key text, location text, order_number text, "
        "quantity_left int?, unit text, days_late int, from_on text, until_on text, reason text, root_id text, "
        "hops_left int, revision int, document_id int, state text, at int",
        kind=_words("kind", "delay shortage capacity closure recovered"),
        state=_words("state", "in_force ended"),
    )
    _index("ix_disruption_in_force", "disruption", "item_key", "state = 'in_force'")
    _index("ix_disruption_root", "disruption", "root_id")


def _reservations() -> None:
    live = "state = 'granted' OR state = 'partly_granted' OR state = 'pending'"
    still_open = f"state = 'requested' OR {live}"
    done = (
        "state <> 'requested' AND state <> 'granted' AND state <> 'partly_granted' AND state <> 'pending' "
        "AND state <> 'confirmed'"
    )
    _table(
        "reservation",
        "reservation_id partner_id role",
        "reservation_id text, partner_id text, role text, state text, item_key text, location text, quantity int, "
        "granted int, unit text, held int, covered int, covered_at int, request text, request_document int, "
        "expires_at int, extensions int, customer_order text, piece_id int, order_id int, line_id text, "
        "root_id text, reason text, at int",
        role=_words("role", "grantor requester own"),
        state=_words(
            "state", "requested granted partly_granted refused confirmed reflected released expired withdrawn pending"
        ),
        amounts="held >= 0 AND covered >= 0 AND covered <= held AND granted >= 0",
        held=f"held = 0 OR ((role = 'grantor' OR role = 'own') AND (state = 'confirmed' OR {live}))",
    )
    _index("ix_reservation_item", "reservation", "item_key location", "held > 0")
    _index("ix_reservation_covered", "reservation", "item_key", "covered > 0")
    _index(
        "ix_reservation_asked",
        "reservation",
        "item_key at",
        "role = 'requester' AND (state = 'requested' OR state = 'granted' OR state = 'partly_granted' OR "
        "state = 'confirmed')",
    )
    _index("ix_reservation_due", "reservation", "expires_at", still_open)
    _index("ix_reservation_partner", "reservation", "partner_id item_key", live)
    _index("ix_reservation_order", "reservation", "order_id", "order_id > 0")
    _index("ix_reservation_piece", "reservation", "piece_id", "piece_id > 0")
    _index("ix_reservation_done", "reservation", "at", done)
    _table(
        "erp_hold",
        "reservation_id partner_id role",
        "reservation_id text, partner_id text, role text, adapter text, told text, number text, gtin text, "
        "location text, quantity int, unit text, until int, bound text, answer_by int, next_at int, attempts int, "
        "reference text, error text",
        told=_words("told", "nothing held refused ended"),
    )
    _index("ix_erp_hold_due", "erp_hold", "adapter next_at", "next_at > 0")
    _index("ix_erp_hold_late", "erp_hold", "answer_by", "answer_by > 0")
    _table(
        "stock_counter",
        "item_key location",
        "item_key text, location text, unit text, reserved int, allocated int, exposed int, exposed_at int",
        amounts="reserved >= 0 AND allocated >= 0 AND exposed >= 0",
    )


def _customer_orders() -> None:
    _table(
        "customer",
        "customer",
        "customer text, orders int, last_order text, last_at int, country text, postal_code text, preference text, "
        "no_split int, preferred_source text",
    )
    _table(
        "customer_order",
        "customer_order_id",
        "customer_order_id id, number text, channel text, kind text, customer text, country text, postal_code text, "
        "collect_at text, currency text, priority int, need_on text?, not_before text?, not_after text?, "
        "launch_on text?, preference text, preferred_source text, no_split int, no_merge int, usage text, state text, "
        "reason text, next_at int?, approved int, strategy int, sourced int, partner_orders int, origin_partner text, "
        "origin_order_id int?, root_id text, hops_left int, template_id int?, period text, merged_into int?, "
        "recurs_on text?, document_id int, captured_at int, at int",
        rowid=True,
        usage=_words("usage", "TEST PRODUCTION"),
        state=_words("state", "captured waiting approval human active done cancelled merged template"),
    )
    _index("ix_customer_order_customer", "customer_order", "customer customer_order_id", "customer <> ''")
    _index("ix_customer_order_due", "customer_order", "next_at", "next_at IS NOT NULL")
    _index("ix_customer_order_from", "customer_order", "origin_partner customer_order_id", "origin_partner <> ''")
    _index("ix_customer_order_number", "customer_order", "number channel", unique=True)
    _index("ix_customer_order_origin", "customer_order", "origin_order_id", "origin_order_id IS NOT NULL")
    _index("ix_customer_order_period", "customer_order", "template_id period", "template_id IS NOT NULL", unique=True)
    _index("ix_customer_order_root", "customer_order", "root_id")
    _index("ix_customer_order_state", "customer_order", "state customer_order_id")
    _table(
        "customer_line",
        "customer_order_id line_id",
        "customer_order_id int, line_id text, ordinal int, item_key text, gtin text, seller_number text, "
        "buyer_number text, description text, quantity int, unit text, price int?, parent_line text, no_split int, "
        "shelf_life_days int, need_on text?, cancelled int, cancel_asked int, kits int",
        _reference("customer_line", "customer_order_id", "customer_order.customer_order_id"),
        cancelled="cancelled >= 0 AND cancel_asked >= 0 AND cancelled + cancel_asked <= quantity",
    )
    _index("ix_customer_line_item", "customer_line", "item_key customer_order_id")
    _pieces()


def _pieces() -> None:
    _table(
        "piece",
        "piece_id",
        "piece_id id, customer_order_id int, line_id text, quantity int, wanted int, unit text, partner_id text, "
        "location text, mode text, state text, reservation_id text, order_id int?, order_line_id text, "
        "decision_id int?, promised_on text?, agreed_on text?, notice text, load_on text?, next_at int?, carrier text, "
        "service text, tracking text, despatched int, delivered int, unit_cost int, passed int, lost int, "
        "inbound_id int?, reason text, at int",
        _reference("piece", "customer_order_id", "customer_order.customer_order_id"),
        rowid=True,
        state=_words(
            "state",
            "planned holding held ordering ordered accepted ready despatched delivered rejected released cancelling "
            "cancelled in_doubt back_ordered waiting_human passed_on",
        ),
        quantity="quantity >= 0 AND wanted >= 0 AND wanted <= quantity",
    )
    _index("ix_piece_back_ordered", "piece", "customer_order_id", "state = 'back_ordered'")
    _index(
        "ix_piece_claim",
        "piece",
        "customer_order_id line_id",
        "reservation_id = '' AND (state = 'back_ordered' OR state = 'ordering' OR state = 'in_doubt' "
        "OR state = 'ordered' OR state = 'waiting_human' OR state = 'accepted')",
    )
    _index("ix_piece_customer_order", "piece", "customer_order_id piece_id")
    _index("ix_piece_order", "piece", "order_id", "order_id IS NOT NULL")
    _index("ix_piece_partner", "piece", "partner_id customer_order_id")
    _table(
        "decision",
        "decision_id",
        "decision_id id, customer_order_id int, at int, method text, status text, gap text, cost int, currency text, "
        "strategy text, explanation text",
        _reference("decision", "customer_order_id", "customer_order.customer_order_id"),
        rowid=True,
    )
    _index("ix_decision_customer_order", "decision", "customer_order_id decision_id")
    _table(
        "process_event",
        "event_id",
        "customer_order_id int, piece_id int?, line_id text, event text, quantity int, detail text, at int, "
        "event_id serial",
        _reference("process_event", "customer_order_id", "customer_order.customer_order_id"),
        rowid=True,
    )
    _index("ix_process_event_customer_order", "process_event", "customer_order_id event_id")


def _quotes() -> None:
    _table(
        "freight_quote",
        "carrier question",
        "carrier text, question text, offers text, findings text, at int, until int",
    )
    _index("ix_freight_quote_until", "freight_quote", "until")
    _table("past_problem", "decision_id", "decision_id id, at int, problem text", rowid=True)
    _index("ix_past_problem_at", "past_problem", "at")


def _settings() -> None:
    _table(
        "adapter_cursor",
        "adapter",
        "adapter text, cursor text, confirmed int, at int",
    )
    _table(
        "meta",
        "name",
        "name text, value text",
        rowid=True,
    )
    _table(
        "counter",
        "name",
        "name text, value int",
        rowid=True,
    )
    counter = sa.table("counter", sa.column("name", sa.Text()), sa.column("value", sa.BigInteger()))
    op.bulk_insert(
        counter,
        [{"name": name, "value": 0} for name in ("change", "customer_order", "decision", "document", "order", "piece")],
    )
