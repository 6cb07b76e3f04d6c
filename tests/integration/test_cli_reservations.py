"""Holds by command, from one company's home to the other's: asked for, listed, shown, extended, given back, proved."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from node import config, wire
from node.app.stock import inventory
from node.cli import main
from node.cli.local import open_host
from node.core.rows import StockRow
from tests import companies

SHOP, MAKER = "0088:4012345000009", "0088:4006381333931"
PIECE = 1_000_000
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a company's home; gives exit code, standard output and standard error."""

    def command(home: str, *arguments: str, as_json: bool = False) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["--home", str(tmp_path / home), *(["--json"] if as_json else []), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def told(run: Run) -> Callable[..., Any]:
    """The result of a command that must succeed, as programs get it."""

    def result(home: str, *arguments: str) -> Any:
        code, out, said = run(home, *arguments, as_json=True)
        assert code == 0, said
        return json.loads(out)

    return result


@pytest.fixture
def linked(tmp_path: Path, told: Callable[..., Any]) -> Callable[[], None]:
    """Two homes that know each other, ten bears at the maker; what is given lets all that waits travel."""
    made = {}
    for name, partner_id in (("shop", SHOP), ("maker", MAKER)):
        made[name] = told(name, "init", "--id", partner_id, "--name", name.title())
        told(name, "partner", "card", "--out", str(tmp_path / f"{name}.card"))
    for name, other in (("shop", "maker"), ("maker", "shop")):
        told(name, "partner", "add", str(tmp_path / f"{other}.card"), "--fingerprint", made[other]["fingerprint"])
    with (tmp_path / "maker" / "hansa.toml").open("a") as file:
        file.write('\n[[sharing.rules]]\nfigure = "exact"\n')

    def travel() -> None:
        with contextlib.ExitStack() as held:
            companies.connect(*(_company(held, tmp_path / name) for name in ("shop", "maker")))

    travel()
    with contextlib.ExitStack() as held:
        maker = _company(held, tmp_path / "maker")
        maker.do(inventory.put_own, [_bears(maker)])
    return travel


def _company(held: contextlib.ExitStack, home: Path) -> Any:
    """A home as links run by hand want it."""
    host = held.enter_context(open_host(config.load(home)))

    def do(use_case: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return host.store.write(lambda tx: use_case(tx, host.ctx, *args, **named))

    own = host.store.read(lambda tx: tx.partners.own().partner_id)
    return SimpleNamespace(do=do, id=own, now=host.ctx.now)


def _bears(maker: Any) -> StockRow:
    return StockRow(
        item_key=f"no:{MAKER}:BEAR",
        partner_id="",
        snapshot=0,
        location="DC1",
        pool="",
        status="AVAILABLE",
        figure="EXACT",
        on_hand=10 * PIECE,
        available=10 * PIECE,
        band_end=None,
        unit="C62",
        gtin="",
        number="BEAR",
        expected="",
        as_of=wire.micros(maker.now()),
    )


def test_a_hold_from_request_to_release_as_programs_see_it(
    linked: Callable[[], None], told: Callable[..., Any]
) -> None:
    asked = told("shop", "reservation", "request", MAKER, "--line", "BEAR=4", "--seconds", "600")
    (hold,) = asked["reservations"]
    name = hold["reservation"]
    assert (hold["state"], hold["side"], hold["quantity"], hold["granted"]) == ("requested", "got", "4", "0")
    linked()
    for home, side, other in (("shop", "got", MAKER), ("maker", "given", SHOP)):
        (one,) = told(home, "reservation", "list")["reservations"]
        expected = (name, side, other, "granted", "4", "DC1")
        assert tuple(one[key] for key in ("reservation", "side", "partner_id", "state", "granted", "location")) == (
            expected
        )
        assert told(home, "reservation", "list", "--side", "own")["reservations"] == []
        shown = told(home, "reservation", "show", name)
        assert {key: shown[key] for key in one if key != "seconds_left"} == {
            key: one[key] for key in one if key != "seconds_left"
        }
        assert 0 < shown["seconds_left"] <= 600
        assert shown["our_system"] is None
    (figure,) = told("maker", "availability", "BEAR")["figures"]
    assert (figure["available"], figure["reserved"], figure["allocated"], figure["exposed"]) == ("6", "4", "0", "0")

    before = told("shop", "reservation", "show", name)["expires_at"]
    extended = told("shop", "reservation", "extend", name, "--seconds", "3600")
    assert extended["asked_until"] > before
    linked()
    after = told("shop", "reservation", "show", name)
    assert (after["expires_at"] > before, after["extensions"]) == (True, 1)

    assert told("shop", "reservation", "release", name, "--reason", "sold elsewhere")["state"] == "released"
    linked()
    assert told("maker", "reservation", "show", name)["state"] == "released"
    assert told("maker", "reservation", "list")["reservations"] == []
    (ended,) = told("maker", "reservation", "list", "--all")["reservations"]
    assert ended["reason"] == "sold elsewhere"
    assert told("maker", "reservation", "verify") == {"good": True, "differences": []}


def test_a_hold_from_request_to_release_as_people_see_it(
    linked: Callable[[], None], told: Callable[..., Any], run: Run
) -> None:
    code, out, _ = run("shop", "reservation", "list")
    assert (code, "nobody holds anything" in out) == (0, True)
    code, out, _ = run("shop", "reservation", "request", MAKER, "--line", "BEAR=12", "--line", "OWL=1")
    assert code == 0
    assert "waits to be sent" in out
    linked()
    code, out, _ = run("shop", "reservation", "list", "--all")
    assert code == 0
    assert "held for us by Maker" in out
    assert "partly granted" in out
    assert "no such item is offered to you here" in out
    (hold,) = told("shop", "reservation", "list")["reservations"]
    name = hold["reservation"]
    # Both see the numbers that people know, of what is not there at all too.
    for home in ("shop", "maker"):
        _, out, _ = run(home, "reservation", "list", "--all")
        rows = [line.split() for line in out.splitlines() if name in line or "refused" in line]
        assert sorted(item for row in rows for item in ("BEAR", "OWL") if item in row) == ["BEAR", "OWL"]
        assert "no:" not in out
        items = {one["item"]: one["item_key"] for one in told(home, "reservation", "list", "--all")["reservations"]}
        assert set(items) == {"BEAR", "OWL"}
    code, out, _ = run("maker", "reservation", "show", name)
    assert code == 0
    assert "no:" not in out
    assert f"{name}: we hold for Shop" in out
    assert "12 pcs" in out
    assert "10 pcs" in out
    assert "C62" not in out
    code, out, _ = run("maker", "availability", "BEAR")
    assert code == 0
    assert "RESERVED" in out
    code, out, _ = run("shop", "reservation", "extend", name, "--seconds", "7200")
    assert (code, "stands until the answer comes" in out) == (0, True)
    code, out, _ = run("maker", "reservation", "release", name, "--reason", "burst pipe")
    assert (code, out.strip()) == (0, f"{name} is released")
    linked()
    code, out, _ = run("shop", "reservation", "show", name)
    assert "released" in out
    assert "burst pipe" in out
    code, out, _ = run("maker", "reservation", "verify")
    assert (code, "every counter is the sum" in out) == (0, True)


def test_a_part_of_a_hold_is_given_back_by_command(
    linked: Callable[[], None], told: Callable[..., Any], run: Run
) -> None:
    asked = told("shop", "reservation", "request", MAKER, "--line", "BEAR=8")
    name = asked["reservations"][0]["reservation"]
    linked()
    code, out, _ = run("shop", "reservation", "release", name, "--quantity", "3", "--reason", "three are too many")
    assert (code, out.strip()) == (0, f"{name}: 5 pcs of it stay held")
    linked()
    for home in ("shop", "maker"):
        one = told(home, "reservation", "show", name)
        assert (one["state"], one["quantity"], one["granted"]) == ("granted", "8", "5")
    assert told("maker", "reservation", "verify")["good"]
    for wrong, word in (("9", "more-than-held"), ("0", "quantity"), ("-1", "quantity"), ("x", "bad-decimal")):
        code, _, said = run("shop", "reservation", "release", name, f"--quantity={wrong}", as_json=True)
        assert (code, json.loads(said)["error"]["code"]) == (3, word)
    assert told("shop", "reservation", "release", name, "--quantity", "5")["state"] == "released"


def test_a_counter_that_is_wrong_is_shown_and_told_by_the_exit_code(
    linked: Callable[[], None], told: Callable[..., Any], run: Run, tmp_path: Path
) -> None:
    told("shop", "reservation", "request", MAKER, "--line", "BEAR=4")
    linked()
    with open_host(config.load(tmp_path / "maker")) as host:
        (counter,) = host.store.read(lambda tx: tx.reservations.counters([f"no:{MAKER}:BEAR"]))
        host.store.write(lambda tx: tx.reservations.put_counters([counter._replace(reserved=3 * PIECE)]))
    code, out, _ = run("maker", "reservation", "verify", as_json=True)
    assert code == 1
    assert json.loads(out)["differences"] == [
        {
            "item": "BEAR",
            "item_key": f"no:{MAKER}:BEAR",
            "location": "DC1",
            "reserved": "3",
            "reserved_summed": "4",
            "allocated": "0",
            "allocated_summed": "0",
        }
    ]
    code, out, _ = run("maker", "reservation", "verify")
    assert code == 1
    assert "SUM OF HOLDS" in out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "NO-SUCH"), "unknown-reservation"),
        (("extend", "NO-SUCH"), "unknown-reservation"),
        (("release", "NO-SUCH"), "unknown-reservation"),
        (("list", "--limit", "0"), "bad-argument"),
        (("request", "0088:0000000000000", "--line", "BEAR=1"), "unknown-partner"),
        (("request", MAKER, "--line", "BEAR=0"), None),
        (("request", MAKER, "--line", "BEAR=x"), None),
        (("request", MAKER, "--line", "BEAR=1", "--seconds", "0"), "bad-argument"),
    ],
)
def test_what_makes_no_sense_is_refused(
    linked: Callable[[], None], run: Run, arguments: tuple[str, ...], code: str | None
) -> None:
    exit_code, _, said = run("shop", "reservation", *arguments, as_json=True)
    assert exit_code == 3
    error = json.loads(said)["error"]
    assert error["message"]
    assert code in (None, error["code"])
