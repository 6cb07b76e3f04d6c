"""A customer order as one transaction works on it: read with all that is known of it, changed, and written back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from node.app.context import Context
from node.app.fulfilment.orchestration_facts import facts_of
from node.app.sourcing.site_load import Loads
from node.core import fulfilment
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, PieceRow, ProcessEventRow
from node.core.fulfilment import ProcessPolicy
from node.core.piece_state import PieceFact
from node.ports import Transaction
from node.wire import micros

__all__ = ["State", "launch_of", "open_units", "policy_of", "read_state", "source_of"]


@dataclass(slots=True)
class State:
    """One customer order as it is worked on; written back by `save`."""

    order: CustomerOrderRow
    lines: dict[str, CustomerLineRow]
    pieces: dict[int, PieceRow]
    facts: dict[int, PieceFact]
    wake: set[str] = field(default_factory=set)
    events: list[ProcessEventRow] = field(default_factory=list)
    changed_lines: set[str] = field(default_factory=set)
    changed_pieces: set[int] = field(default_factory=set)
    loads: Loads = field(init=False)

    def __post_init__(self) -> None:
        self.loads = Loads(self.pieces.values())

    def put(self, piece: PieceRow) -> None:
        """A piece as it is now."""
        before = self.pieces.get(piece.piece_id)
        if before != piece:
            self.loads.move(before, piece)
            self.pieces[piece.piece_id] = piece
            self.changed_pieces.add(piece.piece_id)

    def put_line(self, line: CustomerLineRow) -> None:
        """A line as it is now."""
        self.lines[line.line_id] = line
        self.changed_lines.add(line.line_id)

    def tell(self, at: int, event: str, piece: PieceRow | None = None, quantity: int = 0, detail: str = "") -> None:
        """Note what happened."""
        line_id, piece_id = (piece.line_id, piece.piece_id) if piece else ("", None)
        self.events.append(
            ProcessEventRow(self.order.customer_order_id, piece_id, line_id, event, quantity, detail[:500], at)
        )

    def save(self, tx: Transaction) -> None:
        """Write what was changed."""
        store = tx.customer_orders
        if self.changed_lines:
            store.put_lines([self.lines[line_id] for line_id in sorted(self.changed_lines)])
        if self.changed_pieces:
            store.put_pieces([self.pieces[piece_id] for piece_id in sorted(self.changed_pieces)])
        store.put([self.order])
        if self.events:
            store.add_events(self.events)
        self.loads.write(tx, self.pieces.values())
        self.events, self.changed_lines, self.changed_pieces = [], set(), set()


def read_state(tx: Transaction, customer_order_id: int) -> State:
    """An order with all that is known of it. Raises KeyError."""
    order = tx.customer_orders.get([customer_order_id])[customer_order_id]
    lines = {line.line_id: line for line in tx.customer_orders.lines([customer_order_id])}
    pieces = {piece.piece_id: piece for piece in tx.customer_orders.pieces([customer_order_id])}
    return State(order, lines, pieces, facts_of(tx, list(pieces.values())))


def policy_of(ctx: Context, order: CustomerOrderRow) -> ProcessPolicy:
    """What the settings say of the process of this order."""
    settings = ctx.settings.orchestration
    return ProcessPolicy(
        sourcings_max=settings.sourcings_max,
        hold_extensions_max=settings.hold_extensions,
        on_silence=settings.on_silence,
        outside=settings.outside_tolerance,
        elsewhere_in_doubt=settings.in_doubt_elsewhere,
        late_elsewhere=settings.on_disruption == "elsewhere",
        later_elsewhere=settings.partner_back_orders == "elsewhere",
        answer_seconds=settings.order_answer_hours * 3600,
        doubt_seconds=settings.retry_minutes * 60,
        delivered_seconds=settings.delivered_days * 86_400,
    )


def open_units(ctx: Context, state: State) -> dict[str, int]:
    """What of each line is to be sourced now (scaled): what nobody holds, and back orders with new supply."""
    source = source_of(ctx, state)
    return dict(source.lines) if source is not None else {}


def source_of(ctx: Context, state: State) -> fulfilment.Source | None:
    """The step that asks for sources, where it is due."""
    steps = fulfilment.next_steps(
        state.order,
        list(state.lines.values()),
        list(state.pieces.values()),
        state.facts,
        ctx.now_micros(),
        policy_of(ctx, state.order),
        launch_of(state.order),
    )
    return next((step for step in steps if isinstance(step, fulfilment.Source)), None)


def launch_of(order: CustomerOrderRow) -> int | None:
    """The instant from which a pre-order may be sourced."""
    if not order.launch_on:
        return None
    return micros(datetime.combine(date.fromisoformat(order.launch_on), time(), UTC))
