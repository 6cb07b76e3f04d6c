"""Customer orders enter: from an adapter, from the command line, or as a partner's order that we source ourselves.

What is wrong in itself is refused with findings. What only a human can clear up, an item that nobody knows or a postal
code that does not exist, is taken and waits for that human; nothing of it is promised or held until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from node import wire
from node.app.context import Context
from node.app.documents.identity import UNDERSTANDS, same_content
from node.app.fulfilment import doubts
from node.app.fulfilment.internal import own_usage
from node.app.links.outbox import SALT_BYTES, priority_of
from node.app.stock.demand import Demand, note_demand, region_of
from node.core import link, validation
from node.core.customer_order import dates_of, next_occurrence
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, CustomerRow, ProcessEventRow
from node.core.document import header_of
from node.core.document.common import ItemRef, PersonalData, Usage
from node.core.document.customer import CustomerLine, CustomerOrder, CustomerOrderKind, Preference
from node.core.finding import Finding
from node.core.fulfilment import waits_in_doubt
from node.core.item_key import GTIN_PREFIX, aliases, number_key
from node.core.order_state import scaled
from node.core.rows import DocumentRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["CHANNEL", "Captured", "Origin", "body_of", "capture", "item_key_of", "personal_of"]

CHANNEL = "direct"
"""The channel of an order that names none."""

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Captured:
    """What became of a customer order: "captured", "duplicate" (is there already) or "refused"."""

    state: str
    customer_order_id: int | None
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose order a customer order is, when it is no customer's of our own: a partner's, or a recurring one's."""

    partner_id: str = ""
    order_id: int | None = None
    template_id: int | None = None
    period: str = ""
    document_id: int | None = None  # where its document lies already
    usage: str = ""


def capture(
    tx: Transaction,
    ctx: Context,
    order: CustomerOrder,
    personal: PersonalData | None = None,
    origin: Origin | None = None,
) -> Captured:
    """Take one customer order, once: the same number in the same channel again has no second effect.

    One that only waits for what is unknown in it to be cleared up is replaced by what corrects it.
    """
    origin = origin or Origin()
    own = tx.partners.own().partner_id
    order, salt, body = _complete(tx, ctx, own, order, personal, origin)
    header = header_of(order)
    known = tx.customer_orders.find(order.channel, header.number)
    if known is not None:
        again = _again(tx, order, known)
        if again.state != "refused" or not waits_in_doubt(known, tx.customer_orders.pieces([known.customer_order_id])):
            return again
        before = tx.documents.get(known.document_id)
        revision = max(header.revision, before.revision + 1 if before is not None else 0)
        order = replace(order, header=replace(header, revision=revision))
    findings = validation.findings(
        order, sender=own, receiver=own, usage=header.usage.value, now=ctx.now(), understands=UNDERSTANDS
    )
    if findings:
        return Captured("refused", None, findings)
    document_id = origin.document_id or _store(tx, ctx, own, order, salt, body)
    row = _row(tx, ctx, order, origin, document_id)
    if known is not None:
        row = row._replace(customer_order_id=known.customer_order_id, captured_at=known.captured_at)
    lines = [_line(own, row.customer_order_id, place, line, order) for place, line in enumerate(order.lines, 1)]
    lines = _under_gtins(tx, own, lines)
    found = doubts.doubts(tx, ctx, row, lines)
    at = ctx.now_micros()
    if row.state == "captured" and found:
        row = doubts.doubtful(row, found, at + ctx.settings.orchestration.retry_minutes * 60 * SECOND)
    if known is None:
        tx.customer_orders.add([row])
    else:
        tx.customer_orders.put([row])
        lines += _gone(tx.customer_orders.lines([row.customer_order_id]), lines)
    tx.customer_orders.put_lines(lines)
    event = "captured" if known is None else "corrected"
    events = [ProcessEventRow(row.customer_order_id, None, "", event, 0, order.channel, at)]
    events += [ProcessEventRow(row.customer_order_id, None, "", one.rule, 0, one.text, at) for one in found]
    tx.customer_orders.add_events(events)
    if row.state != "template" and known is None:
        if row.usage == Usage.PRODUCTION.value:
            day = ctx.now().date()
            region = region_of(row.country, row.postal_code)
            note_demand(tx, [Demand(line.item_key, region, day, line.quantity, line.unit) for line in lines])
        if row.customer:
            _remember(tx, row)
    return Captured("captured", row.customer_order_id, found)


def _gone(before: Sequence[CustomerLineRow], lines: Sequence[CustomerLineRow]) -> list[CustomerLineRow]:
    """Lines that a corrected order has no more: nothing of them is wanted."""
    names = {line.line_id for line in lines}
    return [line._replace(cancelled=line.quantity) for line in before if line.line_id not in names]


def _complete(
    tx: Transaction,
    ctx: Context,
    own: str,
    order: CustomerOrder,
    personal: PersonalData | None,
    origin: Origin,
) -> tuple[CustomerOrder, bytes, bytes]:
    """Fill in what the node knows, and what the customer preferred before."""
    given = header_of(order)
    salt = ctx.random.token(SALT_BYTES) if personal is not None else b""
    body = wire.encode(personal) if personal is not None else b""
    usage = Usage(origin.usage) if origin.usage else given.usage
    header = replace(
        given,
        issuer=given.issuer or own,
        usage=own_usage(tx) if usage is Usage.UNSPECIFIED else usage,
        issued_at=given.issued_at or ctx.now(),
        personal_sha256=link.personal_hash(salt, body) if body else b"",
    )
    order = replace(order, header=header, channel=order.channel or CHANNEL)
    before = tx.customer_orders.customer(order.customer) if order.customer else None
    if before is not None:
        order = replace(
            order,
            country=order.country or before.country,
            postal_code=order.postal_code or (before.postal_code if not order.country else ""),
            preference=Preference(before.preference)
            if order.preference is Preference.UNSPECIFIED and before.preference
            else order.preference,
            preferred_source=order.preferred_source or before.preferred_source,
            no_split=order.no_split or bool(before.no_split),
        )
    return order, salt, body


def _again(tx: Transaction, order: CustomerOrder, known: CustomerOrderRow) -> Captured:
    """The same number again: nothing where it says the same, else it is refused: changes are asked for as such."""
    row = tx.documents.get(known.document_id)
    if row is None or row.body is None or row.type != "CustomerOrder":
        return Captured("duplicate", known.customer_order_id)
    before = wire.decode_document(row.type, row.body)
    assert isinstance(before, CustomerOrder)
    kept = header_of(before)
    header = replace(header_of(order), personal_sha256=kept.personal_sha256, revision=kept.revision)
    given = replace(order, header=header)
    # What was filled in from the customer's record may differ by now.
    given = replace(
        given,
        country=order.country or before.country,
        postal_code=order.postal_code or before.postal_code,
        preference=before.preference,
        preferred_source=before.preferred_source,
        no_split=before.no_split,
    )
    if same_content(given, row.type, row.body):
        return Captured("duplicate", known.customer_order_id)
    text = f"customer order {known.number} of {known.channel} was taken before with other content"
    return Captured("refused", None, [Finding("same-number-other-content", "header.number", text)])


def _store(tx: Transaction, ctx: Context, own: str, order: CustomerOrder, salt: bytes, personal: bytes) -> int:
    """The document itself, addressed to ourselves: it is erased in time like every other."""
    document_id = tx.documents.next_ids(1)
    body = wire.encode(order)
    header = header_of(order)
    leaf_salt = ctx.random.token(SALT_BYTES)
    tx.documents.add(
        [
            DocumentRow(
                document_id=document_id,
                partner_id=own,
                direction="in",
                epoch=0,
                number=document_id,
                type="CustomerOrder",
                issuer=header.issuer,
                unit=order.channel,
                doc_number=header.number,
                series=header.series,
                revision=header.revision,
                usage=header.usage.value,
                state="taken",
                duplicate_of=None,
                priority=priority_of("CustomerOrder"),
                object_key=f"CustomerOrder|{order.channel}|{header.number}",
                salt=leaf_salt,
                body=body,
                personal_salt=salt,
                personal=personal,
                leaf=link.leaf_of(leaf_salt, "CustomerOrder", body),
                reasons="",
                stored_at=ctx.now_micros(),
                valid_until=None,
            )
        ]
    )
    return document_id


def _row(tx: Transaction, ctx: Context, order: CustomerOrder, origin: Origin, document_id: int) -> CustomerOrderRow:
    header, now = header_of(order), ctx.now_micros()
    need, first, last = dates_of(order.dates)
    settings = ctx.settings.orchestration
    template = order.order_kind is CustomerOrderKind.RECURRING and origin.template_id is None
    again = next_occurrence(order.recurrence, None) if template and order.recurrence else None
    merged = settings.merge_minutes and order.customer and not order.no_merge and not origin.partner_id
    pause = settings.merge_minutes * 60 * SECOND if merged else 0
    return CustomerOrderRow(
        customer_order_id=tx.customer_orders.next_ids(1),
        number=header.number,
        channel=order.channel,
        kind=order.order_kind.value,
        customer=order.customer,
        country=order.country,
        postal_code=order.postal_code,
        collect_at=order.collect_at,
        currency=order.currency,
        priority=order.priority,
        need_on=need.isoformat() if need else None,
        not_before=first.isoformat() if first else None,
        not_after=last.isoformat() if last else None,
        launch_on=order.launch_on.isoformat() if order.launch_on else None,
        preference=order.preference.value.removeprefix("UNSPECIFIED"),
        preferred_source=order.preferred_source,
        no_split=int(order.no_split),
        no_merge=int(order.no_merge),
        usage=header.usage.value,
        state="template" if template else "captured",
        reason="",
        next_at=None if template else now + pause,
        approved=1,
        strategy=0,
        sourced=0,
        partner_orders=0,
        origin_partner=origin.partner_id,
        origin_order_id=origin.order_id,
        root_id=header.root_id or ctx.random.token(16).hex(),
        hops_left=header.hops_left if header.root_id else settings.hops,
        template_id=origin.template_id,
        period=origin.period,
        merged_into=None,
        recurs_on=again.isoformat() if again else None,
        document_id=document_id,
        captured_at=now,
        at=now,
    )


def _line(own: str, customer_order_id: int, place: int, line: CustomerLine, order: CustomerOrder) -> CustomerLineRow:
    item, quantity = line.item or ItemRef(), line.quantity
    assert quantity is not None
    need, _, _ = dates_of(line.dates)
    price = None
    if line.price is not None and line.price.amount is not None:
        base = line.price.base_quantity
        price = scaled(line.price.amount.amount)
        if base is not None and base.value != 1:
            price = price * 1_000_000 // scaled(base.value)
    return CustomerLineRow(
        customer_order_id=customer_order_id,
        line_id=line.line_id,
        ordinal=place,
        item_key=item_key_of(item, own),
        gtin=item.gtin,
        seller_number=item.seller_number,
        buyer_number=item.buyer_number,
        description=item.description,
        quantity=scaled(quantity.value),
        unit=quantity.unit,
        price=price,
        parent_line=line.parent_line,
        no_split=int(line.no_split or order.no_split),
        shelf_life_days=line.remaining_shelf_life_days_min,
        need_on=need.isoformat() if need else None,
        cancelled=0,
        cancel_asked=0,
        kits=_kits_of(order, line.parent_line),
    )


def _kits_of(order: CustomerOrder, parent_line: str) -> int:
    """How many of the kit (scaled) its channel's component lines are for."""
    kit = next((one.quantity for one in order.lines if parent_line and one.line_id == parent_line), None)
    return scaled(kit.value) if kit is not None else 0


def item_key_of(item: ItemRef, own: str) -> str:
    """Our key of an item that a customer wants: its GTIN, else our own number of it."""
    names = aliases(item, seller=item.seller or own, buyer=item.buyer or own)
    return names[0] if names else number_key(item.description, own)


def _under_gtins(tx: Transaction, own: str, lines: list[CustomerLineRow]) -> list[CustomerLineRow]:
    """Lines that name an item by our number alone, under the GTIN under which its stock is kept, if it has one."""
    prefix = number_key("", own)
    numbers = {line.item_key.removeprefix(prefix) for line in lines if line.item_key.startswith(prefix)}
    if not numbers:
        return lines
    named: dict[str, list[str]] = {}
    for row in tx.stock.aliases(sorted(numbers)):
        if row.item_number in numbers and row.alias.startswith(GTIN_PREFIX):
            named.setdefault(prefix + row.item_number, []).append(row.alias)
    figures = tx.stock.figures(sorted({*named, *(key for keys in named.values() for key in keys)}))
    ours = {row.item_key for row in figures if not row.partner_id}
    theirs = {row.item_key for row in figures if row.partner_id}
    found = {}
    for key, keys in named.items():
        # A number may have had several GTINs: where we have stock comes first, then where a partner has.
        best = min([key, *sorted(keys)], key=lambda one: 0 if one in ours else 1 if one in theirs else 2)
        found[key] = best if best in ours or best in theirs else min(keys)
    return [line._replace(item_key=found.get(line.item_key, line.item_key)) for line in lines]


def _remember(tx: Transaction, row: CustomerOrderRow) -> None:
    """The customer's history: how many orders, the last one, the usual place, and what it prefers."""
    before = tx.customer_orders.customer(row.customer)
    tx.customer_orders.put_customers(
        [
            CustomerRow(
                customer=row.customer,
                orders=(before.orders if before else 0) + 1,
                last_order=row.number,
                last_at=row.captured_at,
                country=row.country or (before.country if before else ""),
                postal_code=row.postal_code or (before.postal_code if before else ""),
                preference=row.preference,
                no_split=row.no_split,
                preferred_source=row.preferred_source,
            )
        ]
    )


def body_of(tx: Transaction, row: CustomerOrderRow) -> CustomerOrder:
    """The document as it was taken. Raises RefusedError when it was erased."""
    stored = tx.documents.get(row.document_id)
    document = wire.decode_document(stored.type, stored.body) if stored and stored.body else None
    if not isinstance(document, CustomerOrder):
        raise RefusedError(f"the document of customer order {row.number} is here no more", code="erased")
    return document


def personal_of(tx: Transaction, row: CustomerOrderRow) -> PersonalData | None:
    """Name and address of where the goods go, while they are kept."""
    stored = tx.documents.get(row.document_id)
    return wire.decode(PersonalData, stored.personal) if stored is not None and stored.personal else None
