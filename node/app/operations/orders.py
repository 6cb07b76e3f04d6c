"""Operations on orders: show, list, and what follows on them by hand where an ERP cannot say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from node import wire
from node.app.documents import orders, terms
from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_status, internal
from node.app.operations import billing, customer_orders, forms
from node.app.operations.registry import Host, operation
from node.core.document.common import DocumentKey, Reason
from node.core.document.terms import ApplicationOutcome
from node.core.finding import Finding
from node.core.identifiers import is_gtin
from node.core.item_key import number_key
from node.core.rows import OrderRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["place", "send_fields"]

Fields = dict[str, Any]
LIMIT_MAX = 1_000
FINDINGS_MAX = 10


@operation("order.show")
def order_show(host: Host, *, order: str, partner: str | None = None) -> dict[str, Any]:
    """Every order of this number: ours, the partner's or the customer order's."""
    customers = [] if partner else host.store.read(lambda tx: customer_status.show(tx, host.ctx, order))
    try:
        found = host.store.read(lambda tx: orders.show(tx, host.ctx, order, partner_id=partner))
    except RefusedError:
        if not customers:
            raise
        found = []
    return {"customer_orders": customers, "orders": found} if customers else {"orders": found}


@operation("order.list")
def order_list(host: Host, *, partner: str | None = None, number: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Orders with their derived status, newest first."""
    if not 0 < limit <= LIMIT_MAX:
        raise RefusedError(f"limit: 1 to {LIMIT_MAX}", code="bad-argument")
    found = host.store.read(lambda tx: orders.find(tx, host.ctx, number=number, partner_id=partner, limit=limit))
    return {"orders": found, "more": len(found) == limit}


def place(
    host: Host,
    *,
    partner: str,
    number: str = "",
    lines: list[dict[str, Any]] | None = None,
    currency: str = "",
    unit: str = "C62",
    deliver: date | None = None,
    ship_to: str = "",
    customer_order: str = "",
    incoterms: str | None = None,
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Send an order: from `fields`, or from lines of item, quantity and price.

    It carries the agreed Incoterm, or the `incoterms` that are given ("DAP Hamburg"; "" for none).
    """
    pieces = forms.pieces_of(lines or [], "lines")

    def use_case(tx: Transaction) -> dict[str, Any]:
        own = tx.partners.own()
        if partner == own.partner_id:
            hint = "without --partner it is a customer's order, and the node sources it over our own sites and partners"
            raise RefusedError("an order to ourselves is not placed by hand", code="own-order", hint=hint)
        made = fields
        if made is None:
            made = forms.place(
                pieces,
                {one.line: _item(tx, one.line, partner) for one in pieces},
                currency=currency,
                unit=unit,
                deliver=deliver,
                ship_to={"id": own.partner_id, "location": {"code": ship_to, "owner": own.partner_id}}
                if ship_to
                else None,
                customer_order=customer_order,
                parties=[{"role": "BUYER", "id": own.partner_id}, {"role": "SELLER", "id": partner}],
                delivery_terms=_delivery(tx, host, partner, incoterms),
            )
        return _submit(tx, host, partner, "Order", made, number)

    return _send(host, partner, host.store.write(use_case))


@operation("order.respond")
def order_respond(
    host: Host,
    *,
    order: str = "",
    number: str = "",
    partner: str | None = None,
    accept: bool = False,
    reject: bool = False,
    lines: list[dict[str, Any]] | None = None,
    deliver: date | None = None,
    reason: str = "",
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Answer an order, or the change or cancellation of it that waits for an answer."""
    pieces = forms.pieces_of(lines or [], "lines")
    return _follow(
        host,
        "OrderResponse",
        order,
        partner,
        number,
        fields,
        lambda tx, standing: forms.response(
            standing, pieces, accept=accept, reject=reject, reason=reason, deliver=deliver
        ),
    )


@operation("order.despatch")
def order_despatch(
    host: Host,
    *,
    order: str = "",
    number: str = "",
    partner: str | None = None,
    lines: list[dict[str, Any]] | None = None,
    carrier: str = "",
    tracking: str = "",
    deliver: date | None = None,
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Say that goods are on their way: the lines named, or all that is agreed and not despatched."""
    pieces = forms.pieces_of(lines or [], "lines")
    now = host.ctx.now()
    return _follow(
        host,
        "DespatchAdvice",
        order,
        partner,
        number,
        fields,
        lambda tx, standing: forms.despatch(standing, pieces, now, carrier=carrier, tracking=tracking, deliver=deliver),
    )


@operation("order.receive")
def order_receive(
    host: Host,
    *,
    order: str = "",
    number: str = "",
    partner: str | None = None,
    lines: list[dict[str, Any]] | None = None,
    damaged: list[dict[str, Any]] | None = None,
    reason: str = "",
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Say what has arrived: the lines named, or all that is on its way."""
    pieces, broken = forms.pieces_of(lines or [], "lines"), forms.pieces_of(damaged or [], "damaged")
    now = host.ctx.now()
    return _follow(
        host,
        "ReceivingAdvice",
        order,
        partner,
        number,
        fields,
        lambda tx, standing: forms.receiving(standing, pieces, broken, now, reason=reason),
    )


@operation("order.invoice")
def order_invoice(
    host: Host,
    *,
    order: str = "",
    number: str = "",
    partner: str | None = None,
    lines: list[dict[str, Any]] | None = None,
    tax: Decimal | None = None,
    due: date | None = None,
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Invoice the lines named, or all that was despatched and not invoiced, at the agreed prices."""
    pieces = forms.pieces_of(lines or [], "lines")
    if fields is None and tax is None:
        raise RefusedError("an invoice states its VAT rate", code="bad-argument", hint="--tax 19, or --tax 0")
    today = host.ctx.now().date()

    def make(tx: Transaction, standing: forms.Standing) -> Fields:
        own = tx.partners.own().partner_id
        parties = [{"role": "SELLER", "id": own}, {"role": "BUYER", "id": standing.order.partner_id}]
        return billing.invoice(standing, pieces, today, tax=tax or Decimal(0), due=due, parties=parties)

    return _follow(host, "Invoice", order, partner, number, fields, make)


@operation("order.change")
def order_change(
    host: Host,
    *,
    order: str = "",
    number: str = "",
    partner: str | None = None,
    lines: list[dict[str, Any]] | None = None,
    reason: str = "",
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Ask for other quantities or prices; takes effect when the seller agrees."""
    pieces = forms.pieces_of(lines or [], "lines")
    if fields is None and (asked := customer_orders.change(host, order, partner, pieces)) is not None:
        return asked
    return _follow(
        host,
        "OrderChange",
        order,
        partner,
        number,
        fields,
        lambda tx, standing: forms.change(standing, pieces, reason=reason),
    )


@operation("order.cancel")
def order_cancel(
    host: Host,
    *,
    order: str = "",
    number: str = "",
    partner: str | None = None,
    lines: list[str] | None = None,
    reason: str = "",
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Ask to cancel an order of ours, or lines of it; takes effect when the seller agrees."""
    if fields is None and (asked := customer_orders.cancel(host, order, partner, lines or [])) is not None:
        return asked
    return _follow(
        host,
        "OrderCancellation",
        order,
        partner,
        number,
        fields,
        lambda tx, standing: forms.cancellation(standing, lines or [], reason=reason),
    )


@operation("order.confirm")
def order_confirm(
    host: Host,
    *,
    order: str,
    number: str = "",
    partner: str | None = None,
    lines: list[str] | None = None,
    refuse: bool = False,
    reason: str = "",
) -> dict[str, Any]:
    """Confirm what the seller has answered outside our tolerances, or with `refuse` ask to cancel those lines.

    One document goes for each answer that is confirmed; without `number`, each is numbered after the answer.
    """

    def use_case(tx: Transaction) -> tuple[str, list[dict[str, Any]]]:
        row = _order(tx, order, partner)
        events = [one for one in tx.orders.events([row.order_id]) if one.standing]
        standing = forms.Standing(row, tx.orders.lines([row.order_id]), events)
        waiting = forms.to_confirm(standing, lines or [])
        answers: dict[int, list[str]] = {}
        for line_id, changed in waiting.items():
            answers.setdefault(changed.document_id, []).append(line_id)
        if refuse:
            made = forms.cancellation(standing, list(waiting), reason=reason or "the changed answer is not agreed to")
            own_number = number or f"{row.number}-REFUSED-{max(answers)}"
            return row.partner_id, [_submit(tx, host, row.partner_id, "OrderCancellation", made, own_number)]
        if number and len(answers) > 1:
            raise RefusedError(
                f"{len(answers)} answers are confirmed, with a document each",
                code="bad-argument",
                hint="leave --number",
            )
        sent = []
        for document_id, line_ids in answers.items():
            made = _confirmation(tx, standing, document_id, line_ids, reason)
            sent.append(_submit(tx, host, row.partner_id, "ApplicationResponse", made, number or f"C{document_id}"))
        return row.partner_id, sent

    partner_id, sent = host.store.write(use_case)
    for one in sent:
        _send(host, partner_id, one)
    return {"sent": sent}


def _confirmation(
    tx: Transaction, standing: forms.Standing, answer_id: int, line_ids: Sequence[str], reason: str
) -> Fields:
    """The ApplicationResponse that accepts lines of an answer."""
    answer = tx.documents.get(answer_id)
    assert answer is not None
    key = DocumentKey(
        issuer=answer.issuer,
        unit=answer.unit,
        type=answer.type,
        number=answer.doc_number,
        series=answer.series,
        revision=answer.revision,
    )
    order = standing.order
    order_key = DocumentKey(
        issuer=order.issuer,
        unit=order.unit,
        type="Order",
        number=order.number,
        series=order.series,
        revision=order.revision,
    )
    why = Reason(code="by-hand", text=reason) if reason else None
    outcome = ApplicationOutcome.ACCEPTED
    return wire.to_fields(terms.confirmation("", key, order_key, outcome, dict.fromkeys(line_ids, why)))


def _delivery(tx: Transaction, host: Host, partner: str, given: str | None) -> Fields:
    """The Incoterm of an order by hand: what is given, else what our settings or the partner's terms agree on."""
    if given is not None:
        rule, _, named = given.strip().partition(" ")
        return forms.delivery(rule, named.strip()) if rule else {}
    ours = host.ctx.settings.partner(partner)
    if ours.incoterms:
        return forms.delivery(ours.incoterms, ours.incoterms_place)
    told = orders.terms_told(tx, partner)
    agreed = told.delivery_terms if told else None
    return forms.delivery(agreed.incoterms, agreed.place) if agreed and agreed.incoterms else {}


def _follow(
    host: Host,
    document_type: str,
    number_of_order: str,
    partner: str | None,
    number: str,
    fields: Fields | None,
    make: Callable[[Transaction, forms.Standing], Fields],
) -> dict[str, Any]:
    """Make a document that follows on an order, or take it as given, and send it to the order's partner."""
    if fields is None and not number_of_order:
        raise RefusedError("which order?", code="bad-argument", hint="give its number, or a document with --file")
    if fields is not None and not number_of_order and not partner:
        raise RefusedError("for which partner?", code="bad-argument", hint="--partner ID, or the order's number")

    def use_case(tx: Transaction) -> tuple[str, dict[str, Any]]:
        if fields is not None and partner:
            return partner, _submit(tx, host, partner, document_type, fields, number)
        order = _order(tx, number_of_order, partner)
        if fields is not None:
            return order.partner_id, _submit(tx, host, order.partner_id, document_type, fields, number)
        events = [one for one in tx.orders.events([order.order_id]) if one.standing]
        made = make(tx, forms.Standing(order, tx.orders.lines([order.order_id]), events))
        return order.partner_id, _submit(tx, host, order.partner_id, document_type, made, number)

    partner_id, result = host.store.write(use_case)
    return _send(host, partner_id, result)


def _order(tx: Transaction, number: str, partner: str | None) -> OrderRow:
    """The one order of this number. Raises RefusedError when there is none, or several."""
    found = tx.orders.search(number=number, partner_id=partner, limit=100)
    exact = [one for one in found if one.number == number] or found
    if len(exact) > 1:
        # A number that was used in test as well means what is in force today.
        exact = [one for one in exact if one.usage == _usage_today(tx, one.partner_id)] or exact
    if not exact:
        raise RefusedError(f"no order {number!r} is known", code="unknown-order", hint="see: hansa order list")
    if len(exact) > 1:
        who = ", ".join(f"{one.number} of {one.partner_id}" for one in exact[:5])
        raise RefusedError(
            f"{number!r} names {len(exact)} orders: {who}",
            code="ambiguous",
            hint="give the order's own number, and --partner",
        )
    return exact[0]


def _usage_today(tx: Transaction, partner_id: str) -> str:
    partner = tx.partners.get(partner_id)
    assert partner is not None
    return internal.as_partner(tx, partner).usage if partner.state == "self" else partner.usage


def _item(tx: Transaction, name: str, partner: str) -> Fields:
    """An item as an order names it: a GTIN; our number with the partner's where we know both; else the partner's."""
    if is_gtin(name):
        return {"gtin": name}
    own = tx.partners.own().partner_id
    prefix = number_key("", partner)
    numbers = {row.item_number for row in tx.stock.aliases([name, number_key(name, own)])} | {name}
    item: Fields = {}
    for row in tx.stock.aliases(sorted(numbers)):
        if row.item_number == name and row.alias.startswith(prefix):
            item = {"seller_number": row.alias.removeprefix(prefix), "buyer_number": name}
        elif row.item_number == name and row.alias.startswith("gtin:"):
            item.setdefault("gtin", row.alias.removeprefix("gtin:"))
    return item or {"seller_number": name}


def _submit(
    tx: Transaction, host: Host, partner: str, document_type: str, fields: Fields, number: str
) -> dict[str, Any]:
    """Number the document as the company says, and let it wait for its link. Raises RefusedError with every finding."""
    header = dict(fields.get("header") or {})
    if number and header.get("number", number) != number:
        raise RefusedError(f"the document says {header['number']!r}, --number {number!r}", code="bad-argument")
    header["number"] = header.get("number") or number
    if not header["number"]:
        raise RefusedError(
            f"this {document_type} has no number",
            code="number-missing",
            hint="numbers are your company's: give --number as your books or your ERP have it",
        )
    try:
        document = wire.from_fields(document_type, {**fields, "header": header})
    except wire.InvalidFieldsError as error:
        raise _refusal(document_type, header["number"], error.findings) from None
    (done,) = submit(tx, host.ctx, partner, [Submission(document)])
    if done.state == "refused":
        raise _refusal(document_type, header["number"], done.findings)
    return {
        "state": done.state,
        "document": done.document_id,
        "type": document_type,
        "number": header["number"],
        "revision": done.revision,
        "partner": partner,
        "answers": _answered(fields),
        "findings": [{"rule": one.rule, "path": one.path, "text": one.text} for one in done.findings],
    }


def _answered(fields: Fields) -> str:
    """The change or cancellation that a response answers, instead of the order itself; "" for none."""
    asked = fields.get("answers")
    return f"{asked['type']} {asked['number']}" if asked else ""


def _refusal(document_type: str, number: str, findings: Sequence[Finding]) -> RefusedError:
    lines = [f"{one.path}: {one.text}" if one.path else one.text for one in findings[:FINDINGS_MAX]]
    if len(findings) > FINDINGS_MAX:
        lines.append(f"and {len(findings) - FINDINGS_MAX} more")
    return RefusedError(f"{document_type} {number} is not sent: {'; '.join(lines)}", code=findings[0].rule)


def send_fields(host: Host, partner: str, document_type: str, fields: Fields, number: str) -> dict[str, Any]:
    """Send a document to a partner from its fields. Raises RefusedError."""
    return _send(host, partner, host.store.write(lambda tx: _submit(tx, host, partner, document_type, fields, number)))


def _send(host: Host, partner: str, result: dict[str, Any]) -> dict[str, Any]:
    """The document is stored; a running node sends it now, another one when it runs."""
    if host.live is not None:
        host.live.wake([partner])
    return result
