"""Holds that the grantor's ERP keeps too: asked after the ledger, granted or refused by its answer, told of the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Hold, HoldAnswer
from adapters.sql import SqlAdapter
from node import wire
from node.app.stock import inventory, ledger, reservations
from node.app.systems import erp_answers, loading
from node.config import AdapterSettings, ReservationSettings, Settings, SharingRule, SharingSettings
from node.core.reservation_rows import ReservationRow
from node.errors import AdapterError, ConfigError
from tests.adapters.rigs import HoldingRig
from tests.companies import Company, HandClock, connect, swap
from tests.integration import holding_pair
from tests.integration.holding_pair import PIECE, ask, free, give, held, order, own_figure, put, settings, wanted
from tests.integration.nodes import acquainted, until

ERP = AdapterSettings(name="erp", kind="sql", usage="test", documents=("Order",), reserves=("DC1",))


buyer, seller = holding_pair.buyer, holding_pair.seller


@pytest.fixture
def rig(tmp_path: Path) -> HoldingRig:
    """The seller's ERP: ten bears, of which it knows as we do."""
    made = HoldingRig(tmp_path, "sqlite:///erp.db")
    made.stock("BEAR", "DC1", 10)
    return made


@pytest.fixture
def erp(rig: HoldingRig) -> Iterator[SqlAdapter]:
    made = rig.make()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def linked(buyer: Company, seller: Company) -> None:
    swap(buyer, seller)
    connect(buyer, seller)
    settings(seller, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)), adapters=(ERP,))
    put(seller, "BEAR", 10)


class Disturbed:
    """An ERP's adapter with something happening before each question reaches it."""

    def __init__(self, erp: SqlAdapter, before: Callable[[], None]) -> None:
        self._erp, self._before = erp, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._erp, name)

    def reserves(self) -> bool:
        return True

    def reserve(self, hold: Hold) -> HoldAnswer:
        self._before()
        return self._erp.reserve(hold)

    def confirm_hold(self, hold: Hold, order: str, taken: Decimal) -> None:
        self._before()
        self._erp.confirm_hold(hold, order, taken)

    def release_hold(self, hold: Hold) -> None:
        self._before()
        self._erp.release_hold(hold)


def away() -> None:
    raise AdapterError("the database is away")


def tell(seller: Company, erp: Any, buyer: Company | None = None) -> int:
    """The worker's turn; with a buyer, the answers travel."""
    told = erp_answers.tell_due(seller.store, seller.ctx, "erp", erp)
    if buyer is not None:
        connect(buyer, seller)
    return told.told


def states(buyer: Company, seller: Company, row: ReservationRow) -> tuple[str, str]:
    return held(buyer, row.reservation_id).state, held(seller, row.reservation_id).state


def both_move(buyer: Company, seller: Company, **by: float) -> None:
    for company in (buyer, seller):
        company.clock.move(**by)


def test_a_grant_waits_for_the_erp_while_nobody_else_gets_the_pieces(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    assert states(buyer, seller, row) == ("requested", "pending")
    assert free(seller) == 4
    (second,) = ask(buyer, seller, wanted(6))
    assert free(seller) == 0
    assert tell(seller, erp, buyer) == 2
    assert states(buyer, seller, row) == ("granted", "granted")
    assert held(buyer, second.reservation_id).granted == 4 * PIECE
    assert held(buyer, second.reservation_id).state == "partly_granted"
    assert rig.free("BEAR", "DC1") == 0
    assert tell(seller, erp) == 0


def test_what_the_erp_refuses_is_refused_and_free_again(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    rig.run("UPDATE stock SET on_hand = 3")  # it has sold since it told its figure
    (row,) = ask(buyer, seller, wanted(6))
    tell(seller, erp, buyer)
    assert states(buyer, seller, row) == ("refused", "refused")
    assert held(buyer, row.reservation_id).reason == "there is not enough of it"
    assert free(seller) == 10
    assert rig.free("BEAR", "DC1") == 3


@pytest.mark.parametrize("on_hand", [10, 3])
def test_all_or_nothing_counts_the_erps_answers_too(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter, on_hand: int
) -> None:
    put(seller, "BEAR", 20, location="DC2")
    rig.run("UPDATE stock SET on_hand = :n", {"n": on_hand})
    lines = (wanted(6, location="DC1"), wanted(7, location="DC2"))
    rows = ask(buyer, seller, *lines, mode="complete")
    assert [states(buyer, seller, row) for row in rows] == [("requested", "pending")] * 2
    tell(seller, erp, buyer)
    expected = "granted" if on_hand == 10 else "refused"
    assert [states(buyer, seller, row) for row in rows] == [(expected, expected)] * 2
    assert free(seller) == (17 if on_hand == 10 else 30)
    assert rig.free("BEAR", "DC1") == (4 if on_hand == 10 else 3)


def test_places_that_the_erp_does_not_keep_are_answered_at_once(buyer: Company, seller: Company) -> None:
    put(seller, "BEAR", 20, location="DC2")
    near, far = ask(buyer, seller, wanted(6, location="DC1"), wanted(7, location="DC2"))
    assert (near.state, far.state) == ("requested", "granted")


def test_a_silent_erp_refuses_when_its_time_is_up_and_learns_of_it(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    assert tell(seller, Disturbed(erp, away)) == 0
    assert seller.do(erp_answers.refuse_late) == set()
    both_move(buyer, seller, seconds=20)
    assert seller.do(erp_answers.refuse_late) == {buyer.id}
    connect(buyer, seller)
    assert states(buyer, seller, row) == ("refused", "refused")
    assert held(buyer, row.reservation_id).reason == "our system did not answer in time"
    assert free(seller) == 10
    erp.reserve(_as_asked(buyer, row))  # the question had reached it after all
    assert rig.free("BEAR", "DC1") == 4
    both_move(buyer, seller, seconds=60)
    tell(seller, erp)
    assert rig.free("BEAR", "DC1") == 10


def _as_asked(buyer: Company, row: ReservationRow) -> Hold:
    return Hold(
        reservation_id=row.reservation_id,
        partner=buyer.id,
        number="BEAR",
        gtin="",
        location="DC1",
        quantity=Decimal(6),
        unit="C62",
        until=buyer.clock.now(),
    )


def test_an_answer_that_comes_too_late_is_given_back(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    (row,) = ask(buyer, seller, wanted(6))

    def time_passes() -> None:
        both_move(buyer, seller, seconds=30)
        seller.do(erp_answers.refuse_late)

    erp_answers.tell_due(seller.store, seller.ctx, "erp", Disturbed(erp, time_passes))
    connect(buyer, seller)
    assert states(buyer, seller, row) == ("refused", "refused")
    tell(seller, erp)
    assert rig.free("BEAR", "DC1") == 10
    assert free(seller) == 10


def test_a_crash_between_question_and_answer_asks_again(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    erp.reserve(_as_asked(buyer, row))  # asked, answered, and then we fell before we could write it down
    assert states(buyer, seller, row) == ("requested", "pending")
    tell(seller, erp, buyer)
    assert states(buyer, seller, row) == ("granted", "granted")
    assert rig.free("BEAR", "DC1") == 4
    assert len(rig.run("SELECT id FROM stock_hold")) == 1


def test_a_request_withdrawn_while_the_erp_thinks_leaves_nothing_held(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    buyer.do(reservations.release, row.reservation_id, "not wanted")
    connect(buyer, seller)
    assert states(buyer, seller, row) == ("withdrawn", "released")
    tell(seller, erp, buyer)
    assert (free(seller), rig.free("BEAR", "DC1")) == (10, 10)


@pytest.mark.parametrize("how", ["released", "taken back", "expired"])
def test_the_erp_learns_of_every_end(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter, how: str
) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    tell(seller, erp, buyer)
    assert rig.free("BEAR", "DC1") == 4
    if how == "released":
        buyer.do(reservations.release, row.reservation_id, "not wanted")
        connect(buyer, seller)
    elif how == "taken back":
        seller.do(reservations.release, row.reservation_id, "burst pipe")
    else:
        both_move(buyer, seller, hours=5)
        seller.do(ledger.expire_due)
    assert tell(seller, Disturbed(erp, away)) == 0  # away for a while
    assert rig.free("BEAR", "DC1") == 4
    both_move(buyer, seller, seconds=10)
    assert tell(seller, erp) == 1
    assert rig.free("BEAR", "DC1") == 10
    assert tell(seller, erp) == 0


def test_the_erp_learns_of_a_longer_hold(buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    tell(seller, erp, buyer)
    later = buyer.clock.now() + timedelta(hours=2)
    buyer.do(reservations.extend, row.reservation_id, later)
    connect(buyer, seller)
    assert tell(seller, erp) == 1
    assert rig.run("SELECT until, gone FROM stock_hold") == [(later.isoformat(), 0)]
    assert rig.free("BEAR", "DC1") == 4


def test_a_part_given_back_is_free_here_at_once_and_in_the_erp_when_the_hold_ends(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    tell(seller, erp, buyer)
    buyer.do(reservations.release_part, row.reservation_id, 2 * PIECE)
    connect(buyer, seller)
    assert tell(seller, erp) == 0
    assert (free(seller), rig.free("BEAR", "DC1")) == (6, 4)
    give(buyer, seller, order("PO-1", 4, row.reservation_id))
    handover = seller.read(lambda tx: tx.handovers.due(seller.ctx.now_micros(), ["Order"], "TEST", 0, 10))[0]
    seller.store.write(lambda tx: tx.handovers.put(handover._replace(state="posted", reference="SO-1")))
    both_move(buyer, seller, seconds=5)
    tell(seller, erp)
    assert (free(seller), rig.free("BEAR", "DC1")) == (6, 6)


def test_a_part_given_back_while_the_erp_thinks_is_granted_less(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    buyer.do(reservations.release_part, row.reservation_id, 2 * PIECE)
    connect(buyer, seller)
    assert states(buyer, seller, row) == ("requested", "pending")
    tell(seller, erp, buyer)
    assert states(buyer, seller, row) == ("granted", "granted")
    assert [held(one, row.reservation_id).granted for one in (buyer, seller)] == [4 * PIECE] * 2
    assert free(seller) == 6


def test_an_order_turns_the_hold_into_its_own_once_the_erp_has_it(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    (row,) = ask(buyer, seller, wanted(6))
    tell(seller, erp, buyer)
    done = give(buyer, seller, order("PO-1", 4, row.reservation_id))
    assert done.document_id
    assert held(seller, row.reservation_id).state == "confirmed"
    assert tell(seller, erp) == 0  # the order still waits to go into the ERP
    assert rig.free("BEAR", "DC1") == 4
    handover = seller.read(lambda tx: tx.handovers.due(seller.ctx.now_micros(), ["Order"], "TEST", 0, 10))[0]
    seller.store.write(lambda tx: tx.handovers.put(handover._replace(state="posted", reference="SO-1")))
    both_move(buyer, seller, seconds=5)
    assert tell(seller, erp) == 1
    assert rig.run("SELECT gone, taken_by FROM stock_hold") == [(1, "PO-1")]
    assert rig.free("BEAR", "DC1") == 6  # four are ordered, and what the order did not take is free
    assert free(seller) == 6


def test_where_the_erp_keeps_holds_nothing_is_kept_back_for_its_own_sales(buyer: Company, seller: Company) -> None:
    settings(seller, reservations=ReservationSettings(exposure="measured"))
    for figure in (9, 5):
        both_move(buyer, seller, seconds=60)
        put(seller, "BEAR", figure)
    (row,) = ask(buyer, seller, wanted(5))
    assert held(seller, row.reservation_id).granted == 5 * PIECE
    settings(seller, adapters=())
    assert seller.do(reservations.exposure, f"no:{seller.id}:BEAR", "DC1") == 4 * PIECE


def test_net_figures_count_a_kept_hold_no_second_time(
    buyer: Company, seller: Company, rig: HoldingRig, erp: SqlAdapter
) -> None:
    settings(seller, reservations=ReservationSettings(pieces_max=8))
    put(seller, "BEAR", 10, basis="NET")
    (row,) = ask(buyer, seller, wanted(6))
    tell(seller, erp, buyer)
    assert free(seller) == 4
    both_move(buyer, seller, seconds=60)
    put(seller, "BEAR", rig.free("BEAR", "DC1"), basis="NET")
    assert free(seller) == 4
    (more,) = ask(buyer, seller, wanted(4))
    assert held(seller, more.reservation_id).granted == 2 * PIECE  # the limit still counts the six
    buyer.do(reservations.release, row.reservation_id, "not wanted")
    connect(buyer, seller)
    tell(seller, erp, buyer)
    both_move(buyer, seller, seconds=60)
    put(seller, "BEAR", rig.free("BEAR", "DC1"), basis="NET")
    assert free(seller) == 8


def test_a_running_node_asks_its_erp_by_itself(tmp_path: Path) -> None:
    buyer, seller = acquainted(tmp_path)
    rig = HoldingRig(seller.home, "sqlite:///erp.db")
    rig.stock("BEAR", "DC1", 5)
    with (seller.home / "hansa.toml").open("a") as file:
        file.write(
            '\n[[adapters]]\nname = "erp"\nkind = "sql"\nusage = "test"\nreserves = ["DC*"]\n'
            '[adapters.options]\nurl = "sqlite:///erp.db"\nmappings = "m.toml"\n'
            '[[sharing.rules]]\nfigure = "exact"\n'
        )
    seller.load()

    def hold_states() -> list[str]:
        return [row.state for row in buyer.node.store.read(lambda tx: tx.reservations.search(role="requester"))]

    async def case() -> None:
        async with asyncio.timeout(90):
            await seller.start()
            ctx = seller.node.ctx
            figure = own_figure(seller.id, "BEAR", 10, "DC1", wire.micros(ctx.now()))
            await seller.node.store.write_async(lambda tx: inventory.put_own(tx, ctx, [figure]))
            await buyer.start()
            await until(lambda: buyer.confirmed() and seller.confirmed())
            asked = [{"item": "BEAR", "quantity": "4"}]
            await buyer.does("reservation.request", partner=seller.id, lines=asked)
            await until(lambda: hold_states() == ["granted"])
            assert rig.free("BEAR", "DC1") == 1
            await buyer.does("reservation.request", partner=seller.id, lines=asked)
            await until(lambda: sorted(hold_states()) == ["granted", "refused"])
            (held_now,) = (await buyer.does("reservation.list"))["reservations"]
            shown = await seller.does("reservation.show", reservation=held_now["reservation"])
            assert (shown["state"], shown["our_system"]["knows"]) == ("granted", "held")
            await buyer.does("reservation.release", reservation=held_now["reservation"])
            await until(lambda: rig.free("BEAR", "DC1") == 5)
            await buyer.node.stop()
            await seller.node.stop()

    asyncio.run(case())


@pytest.mark.parametrize(("on_hand", "expected"), [(10, "granted"), (3, "withdrawn")])
def test_our_own_holds_are_kept_by_the_erp_or_taken_back(
    seller: Company, rig: HoldingRig, erp: SqlAdapter, on_hand: int, expected: str
) -> None:
    rig.run("UPDATE stock SET on_hand = :n", {"n": on_hand})
    row = seller.do(
        reservations.reserve_own,
        item_key=f"no:{seller.id}:BEAR",
        location="DC1",
        quantity=6 * PIECE,
        unit="C62",
        customer_order="C-1",
        piece_id=1,
        until=wire.micros(seller.clock.now() + timedelta(hours=1)),
    )
    assert row is not None
    assert row.state == "granted"
    tell(seller, erp)
    assert held(seller, row.reservation_id).state == expected
    assert free(seller) == (4 if expected == "granted" else 10)
    assert rig.free("BEAR", "DC1") == on_hand - (6 if expected == "granted" else 0)


def test_a_test_request_reaches_no_productive_erp(buyer: Company, seller: Company) -> None:
    productive = AdapterSettings(name="erp", kind="sql", documents=("Order",), reserves=("DC1",))
    settings(seller, adapters=(productive,))
    (row,) = ask(buyer, seller, wanted(6))
    assert row.state == "granted"


def test_an_adapter_that_cannot_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("")
    one = AdapterSettings(
        name="erp", kind="sql", reserves=("*",), options={"url": "sqlite:///e.db", "mappings": "m.toml"}
    )
    with pytest.raises(ConfigError, match="cannot keep holds"):
        loading.open_adapter(Settings(home=tmp_path), one, HandClock(), "")


def test_an_item_of_the_figure_is_named_to_the_erp(buyer: Company, seller: Company, erp: SqlAdapter) -> None:
    ask(buyer, seller, wanted(6))
    (asked,) = seller.read(lambda tx: tx.erp_holds.due("erp", seller.ctx.now_micros(), 10))
    assert (asked.number, asked.location, asked.quantity, asked.unit) == ("BEAR", "DC1", 6 * PIECE, "C62")
