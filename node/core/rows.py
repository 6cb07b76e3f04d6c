"""Rows as they lie in the store: tuples in column order, so that effects go from the core to SQL without conversion.

Instants (`*_at`) are microseconds since 1970-01-01 UTC, quantities and prices integers scaled by `decimals.SCALE`,
dates ISO text, words (states, kinds) the schema's or the table's own lower-case words. `None` means absent.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "AliasRow",
    "CardRow",
    "CursorRow",
    "DocumentRow",
    "HandoverRow",
    "HeadRow",
    "LineEventRow",
    "LinkRow",
    "OrderLineRow",
    "OrderRow",
    "OwnStockRow",
    "PartnerRow",
    "ReceiptRow",
    "ReplenishmentRuleRow",
    "SnapshotRow",
    "StockRow",
]


class PartnerRow(NamedTuple):
    """A partner. `partner_id` is its participant id; our own company is the row whose `state` is "self"."""

    partner_id: str
    name: str
    state: str  # self, added, confirmed (both countersigned), revoked
    usage: str  # TEST until both sides agreed to go live, then PRODUCTION
    we_live_at: int | None  # when we agreed to go live
    they_live_at: int | None
    confirmed_at: int | None
    last_seen_at: int | None
    last_hello: str  # JSON: what the partner's last hello said (accepts, understands, software)
    terms: str  # JSON field dict of the TradeTerms document in force, or ""
    added_at: int


class CardRow(NamedTuple):
    """One card of a partner (or of ourselves): exact signed bytes."""

    partner_id: str
    sequence: int
    signed: bytes  # SignedCard as it came
    sha256: bytes  # of the card's body
    from_number: int  # in force from this number on of the owner's link to us; 0 for the first
    confirmed: bytes  # the partner's CardConfirmation over this (our) card, or ours over theirs; empty if none
    added_at: int


class LinkRow(NamedTuple):
    """One direction of a link, from our side. `direction` "out": we send; "in": we receive."""

    partner_id: str
    direction: str
    link_id: bytes
    epoch: int
    number: int  # head: the last number given (out) or taken (in)
    chain: bytes
    receipted_number: int  # out: head of the last receipt verified; in: of the last receipt given
    receipt_sequence: int
    receipt_sha256: bytes
    oldest_number: int  # of the documents whose bytes are still held
    stock_change: int  # out: `StockRow.change` up to which the partner knows our stock
    state: str  # open, stopped
    reason: str  # why stopped, and what to do


class DocumentRow(NamedTuple):
    """A document of a link, in either direction, or one that waits for its number."""

    document_id: int
    partner_id: str
    direction: str
    epoch: int | None  # None until numbered
    number: int | None
    type: str
    issuer: str
    unit: str
    doc_number: str
    series: str
    revision: int
    usage: str
    state: str  # waiting, sent, taken, refused, held, withdrawn
    duplicate_of: int | None
    priority: int  # lower goes first
    object_key: str  # the business object whose documents stay in order
    salt: bytes
    body: bytes | None  # None once erased
    personal_salt: bytes
    personal: bytes | None
    leaf: bytes
    reasons: str  # JSON list of {code, text}
    stored_at: int
    valid_until: int | None


class HeadRow(NamedTuple):
    """The signed head of a batch."""

    partner_id: str
    direction: str
    epoch: int
    number: int
    chain: bytes
    head: bytes
    signature: bytes


class ReceiptRow(NamedTuple):
    """A signed receipt, given by us (`direction` "in") or verified from the partner ("out")."""

    partner_id: str
    direction: str
    epoch: int
    sequence: int
    number: int
    body: bytes
    signature: bytes
    sha256: bytes
    given_at: int


class HandoverRow(NamedTuple):
    """A document on its way into our ERP."""

    document_id: int
    type: str
    state: str  # waiting, posted, failed (waits for a human), refused (a human has given it up)
    attempts: int
    next_at: int
    reference: str  # the ERP's own number once posted
    error: str
    posted_at: int | None


class OrderRow(NamedTuple):
    """An order between us and one partner, on both sides alike."""

    order_id: int
    partner_id: str
    role: str  # buyer or seller: what we are in it
    issuer: str
    unit: str
    number: str
    series: str
    revision: int
    kind: str
    currency: str
    usage: str
    issued_at: int
    customer_order: str  # the customer order it fulfils, if the document says so
    seller_order_number: str
    document_id: int


class OrderLineRow(NamedTuple):
    """What a line orders, in the latest revision."""

    order_id: int
    line_id: str
    ordinal: int
    kind: str
    gtin: str
    seller_number: str
    buyer_number: str
    description: str
    quantity: int
    unit: str
    price: int | None
    price_base: int | None
    requested_on: str | None  # the first day asked for
    schedule: str  # JSON list of [on, quantity, schedule_id] where it is asked for in several pieces, or ""
    document_id: int


class LineEventRow(NamedTuple):
    """One thing that happened to a piece of a line; status is derived from these and never stored."""

    order_id: int
    line_id: str
    document_id: int
    schedule_id: str
    event: str  # accepted, back_ordered, rejected, substituted, cancelled, despatched, received, short, over,
    #             damaged, wrong, invoiced, credited, delivered, failed, cancel_requested, change_requested, returned,
    #             changed, confirmation_due, confirmed
    quantity: int
    unit: str
    on: str | None  # the date it is promised for, or happened on
    reference: str  # the number of the document that says so
    detail: str  # reason text, tracking number, ...
    at: int
    standing: int  # 1; 0 once a later document replaced or cancelled the one that said it


class StockRow(NamedTuple):
    """A stock figure as its owner says it: ours (`partner_id` "") or a partner's."""

    item_key: str
    partner_id: str
    snapshot: int  # the figures in force are those of the partner's current snapshot
    location: str
    pool: str
    status: str
    figure: str
    on_hand: int | None
    available: int | None
    band_end: int | None
    unit: str
    gtin: str
    number: str  # the owner's item number
    expected: str  # JSON list of [quantity, on, source], or ""; with source "lot" a part of what is there, best before
    as_of: int
    exposed: int = 0  # a partner's: what its ERP sells at once, told with exact figures; ours is on the ledger
    change: int = 0  # ours: grows with every change; a partner has not seen what is above its link's stock_change.
    #              A partner's: the instant when we took it, by which holds that it cannot know yet are told


class OwnStockRow(NamedTuple):
    """A `StockRow` of ours as it lies in the store: by its change number, in which order partners are told of it."""

    change: int
    item_key: str
    location: str
    pool: str
    status: str
    figure: str
    on_hand: int | None
    available: int | None
    band_end: int | None
    unit: str
    gtin: str
    number: str
    expected: str
    as_of: int


class SnapshotRow(NamedTuple):
    """A snapshot of a partner's stock: being received, or in force."""

    partner_id: str
    snapshot: int
    name: str  # the snapshot's id in the report
    parts: int
    state: str  # building, current, old
    basis: str
    started_at: int
    as_of: int


class AliasRow(NamedTuple):
    """Another name of one of our items: resolves what a user asks for to the keys under which stock is told."""

    alias: str  # an item key or a bare number
    item_number: str  # our own number
    partner_id: str  # whose name it is; "" for ours


class ReplenishmentRuleRow(NamedTuple):
    """When our stock of an item falls below `reorder_point`, ask `partner_id` for what brings it to `order_up_to`."""

    item_key: str
    location: str
    partner_id: str
    reorder_point: int
    order_up_to: int
    multiple: int
    unit: str
    gtin: str
    seller_number: str
    buyer_number: str
    requested: int  # asked for and not yet arrived
    requested_at: int | None


class CursorRow(NamedTuple):
    """Where an adapter's pull stands."""

    adapter: str
    cursor: str
    confirmed: int  # 0 until a human said yes to the first pull
    at: int
