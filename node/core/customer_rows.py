"""Rows of customer orders as they lie in the store; the conventions are those of `node.core.rows`."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ClaimRow",
    "CustomerLineRow",
    "CustomerOrderRow",
    "CustomerRow",
    "DecisionRow",
    "PieceRow",
    "ProcessEventRow",
]


class CustomerRow(NamedTuple):
    """What we remember of a customer, under a pseudonymous key."""

    customer: str
    orders: int
    last_order: str
    last_at: int
    country: str  # the usual place: that of the last order
    postal_code: str
    preference: str  # FASTEST, CHEAPEST or ""
    no_split: int
    preferred_source: str


class CustomerOrderRow(NamedTuple):
    """What a customer wants of us. Its number is one of its channel's."""

    customer_order_id: int
    number: str
    channel: str
    kind: str  # the schema's word, such as PICK_UP
    customer: str
    country: str
    postal_code: str
    collect_at: str
    currency: str
    priority: int
    need_on: str | None
    not_before: str | None
    not_after: str | None
    launch_on: str | None
    preference: str
    preferred_source: str
    no_split: int
    no_merge: int
    usage: str
    state: str  # captured, waiting, approval, human, active, done, cancelled, merged, template
    reason: str  # why it waits for a human or an approval
    next_at: int | None  # when it is looked at again; None: only when something happens
    approved: int  # 1 once a human has approved it as it is
    strategy: int  # which of the rules' strategies is in use, counted from 0
    sourced: int  # how many times it was sourced
    partner_orders: int  # how many partner orders it has begun: they number themselves by it
    origin_partner: str  # whose order it is, "" for all other channels
    origin_order_id: int | None
    root_id: str
    hops_left: int
    template_id: int | None  # the recurring order that made it
    period: str  # the day of the recurring order that it stands for, "" for all others
    merged_into: int | None
    recurs_on: str | None  # of a template: the next day on which it makes an order
    document_id: int
    captured_at: int
    at: int


class CustomerLineRow(NamedTuple):
    """One line: `quantity` = cancelled + what its pieces hold + what is still to be sourced."""

    customer_order_id: int
    line_id: str
    ordinal: int
    item_key: str
    gtin: str
    seller_number: str
    buyer_number: str
    description: str
    quantity: int
    unit: str
    price: int | None  # for one unit
    parent_line: str
    no_split: int
    shelf_life_days: int
    need_on: str | None
    cancelled: int
    cancel_asked: int  # the customer wants so much less; it is settled when every partner concerned has answered
    kits: int = 0  # of a component (`parent_line` is the kit): for so many kits; 0 for all others


class PieceRow(NamedTuple):
    """A part of a line that one source fulfils, or that waits for one (back_ordered)."""

    piece_id: int
    customer_order_id: int
    line_id: str
    quantity: int  # in the line's unit
    wanted: int  # less than `quantity` while a partner is asked to do with less
    unit: str
    partner_id: str  # "" is our own company
    location: str
    mode: str  # ship, collect, to_collect, transfer, cross_dock, drop_ship, third_party
    state: str
    reservation_id: str
    order_id: int | None
    order_line_id: str
    decision_id: int | None
    promised_on: str | None
    agreed_on: str | None  # what was promised before a notice of disruption moved it
    notice: str  # the notice of disruption that it is told with, "" for none
    load_on: str | None  # the day of whose capacity at the source it takes; None where that has no limit
    next_at: int | None
    carrier: str
    service: str
    tracking: str
    despatched: int
    delivered: int
    unit_cost: int
    passed: int  # arrived where it goes on, and held by other pieces since
    lost: int  # sent and lost: short or damaged on arrival, or a failed delivery that was given up
    inbound_id: int | None  # the piece that brought these goods to where they go on
    reason: str
    at: int


class ClaimRow(NamedTuple):
    """A piece that counts on stock which no hold keeps for it: back-ordered, or ordered without a hold."""

    customer_order_id: int
    item_key: str
    partner_id: str
    location: str
    state: str
    promised_on: str | None
    quantity: int
    unit: str
    order_id: int | None
    at: int


class DecisionRow(NamedTuple):
    """The stored outcome of one sourcing of an order, with why."""

    decision_id: int
    customer_order_id: int
    at: int
    method: str
    status: str
    gap: str
    cost: int
    currency: str
    strategy: str
    explanation: str  # JSON: the candidates of each line, their costs, what was chosen and which rule decided


class ProcessEventRow(NamedTuple):
    """One thing that happened in the process of a customer order; only ever added."""

    customer_order_id: int
    piece_id: int | None
    line_id: str
    event: str
    quantity: int
    detail: str
    at: int
