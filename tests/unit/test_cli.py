"""The command line itself: what it imports, what it parses, and how it shows results and errors."""

from __future__ import annotations

import argparse
import errno
import inspect
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.app.operations import OPERATIONS
from node.cli import commands, entry, tables, views, words
from node.cli.output import Output, shown
from node.cli.parser import build_parser
from node.errors import AdapterError, ConfigError, RefusedError, UnavailableError

HEAVY = (
    "sqlalchemy",
    "grpc",
    "google.protobuf",
    "rich",
    "cryptography",
    "alembic",
    "node.wire",
    "node.config",
    "asyncio",
)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and all below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


LEAVES = [
    one for one in parsers(build_parser()) if not any(isinstance(a, argparse._SubParsersAction) for a in one._actions)
]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from node.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "partner" in done.stdout
    loaded = set(eval(done.stderr))  # noqa: S307  # a list of names that this test has printed
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("parser", LEAVES, ids=lambda one: one.prog)
def test_every_command_is_done_and_shown(parser: argparse.ArgumentParser) -> None:
    command = parser.get_default("command")
    assert command in commands.COMMANDS or command in OPERATIONS, command
    if command in OPERATIONS and not command.startswith("order."):
        assert command in views.VIEWS
    assert parser.description
    assert parser.description.endswith(".")
    assert all(action.help or action.metavar for action in parser._actions)


TRANSLATED = {"help", "line", "file", "open", "out", "yes", "document"}
"""Options that a command turns into something else."""


@pytest.mark.parametrize("parser", LEAVES, ids=lambda one: one.prog)
def test_what_a_command_takes_its_operation_takes(parser: argparse.ArgumentParser) -> None:
    found = OPERATIONS.get(parser.get_default("command"))
    if found is None or found.name in ("init", "key.recover"):
        return  # These speak of files and secrets where the operation wants their content.
    given = {action.dest for action in parser._actions} - {"home", "json", "color"} - TRANSLATED
    assert given - set(inspect.signature(found.function).parameters) == set()


def test_every_operation_has_a_command() -> None:
    assert set(OPERATIONS) - {one.get_default("command") for one in LEAVES} == set()


def test_commands_that_hints_name_exist(project_root: Path) -> None:
    known = {tuple(one.prog.split()[1:]) for one in LEAVES}
    groups = {one[0] for one in known if len(one) == 2}
    named = set()
    for folder in ("node", "adapters"):
        for path in (project_root / folder).rglob("*.py"):
            named |= set(re.findall(r"\bhansa ([a-z]+)(?: ([a-z-]+))?", path.read_text(encoding="utf-8")))
    spoken = {one for one in named if one[0] in groups}
    assert len(spoken) > 10
    assert sorted(one for one in spoken if one not in known) == []


@pytest.mark.parametrize("argv", [["--json", "status", "--home", "/h"], ["--home", "/h", "status", "--json"]])
def test_global_options_stand_anywhere(argv: list[str]) -> None:
    options = build_parser().parse_args(argv)
    assert (options.home, options.json, options.color, options.command) == ("/h", True, True, "status")


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("hansa ")


@pytest.mark.parametrize(
    ("text", "command", "made"),
    [
        ("CHEW-1=6", "order.place", {"line": "CHEW-1", "quantity": "6"}),
        ("A=B=6@2.50", "order.place", {"line": "A=B", "quantity": "6", "price": "2.50"}),
        ("1=6@2026-12-01", "order.respond", {"line": "1", "quantity": "6", "on": "2026-12-01"}),
    ],
)
def test_lines_are_read(text: str, command: str, made: dict[str, str]) -> None:
    assert entry.pieces(text, command) == made


@pytest.mark.parametrize("text", ["", "CHEW", "=6", "CHEW=", "CHEW=@2", "CHEW=6@"])
def test_lines_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="LINE=QUANTITY"):
        entry.pieces(text, "order.place")


def test_tables_in_a_pipe_are_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=False, color=True).table(["item", "open"], [["A", "10"], ["LONG", ""]], empty="none", right="open")
    assert capsys.readouterr().out == "ITEM  OPEN\nA       10\nLONG     -\n"
    Output(json=False, color=True).table(["item"], [], empty="none")
    assert capsys.readouterr().out == "none\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("width", "seen"),
    [
        ("40", "item      open  what\n────────  ────  ──────────────────\n[b]A[/b]    10  comes by sea later\n"),
        (
            "26",
            "item      open  what\n────────  ────  ──────────\n[b]A[/b]    10  comes by\n                sea later\n",
        ),
        ("12", "item  [b]A[/b]\nopen  10\nwhat  comes by sea later\n"),
    ],
)
def test_tables_on_a_terminal_fit_it(monkeypatch: pytest.MonkeyPatch, width: str, seen: str) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", width)
    columns = ["item", "empty", "open", "held", "what"]
    row = ["[b]A[/b]", "", "10", "0", "comes by sea later"]
    Output(json=False, color=False).table(columns, [row], empty="", right="open held", optional="open held")
    assert terminal.getvalue() == seen


def test_wide_characters_take_two_cells() -> None:
    assert tables.columns_wide(["a", "b"], [["箱", "Cafe\u0301"]]) == [2, 4]
    assert tables.fitted(["a", "b"], [["箱", "x"]], (), 10) == ["a   b", "──  ─", "箱  x"]
    assert tables.fitted(["a"], [["ABCDEFGHIJKLMNOPQRSTUVWXYZ"]], (), 24) == [
        "a", "─" * 24, "ABCDEFGHIJKLMNOPQRSTUVWX", "YZ",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("4.1", "GBP", "4.10 GBP"), ("17.22417", "EUR", "17.22 EUR"), ("1200", "JPY", "1200 JPY"), ("3.6", "", "3.60")],
)
def test_money_is_in_the_currencys_own_decimals(amount: str, currency: str, text: str) -> None:
    assert words.money(amount, currency) == text


def test_codes_are_said_in_words() -> None:
    assert [words.unit(one) for one in ("C62", "KGM", "XYZ")] == ["pcs", "kg", "XYZ"]
    assert words.total([("C62", "2"), ("C62", "1.50"), ("KGM", "4")]) == ("3.5 + 4", "pcs + kg")
    keys = ("gtin:02956783042240", "gtin:00000012345670", "gtin:12956783042247", "no:0088:4012345000009:A:1", "X-1")
    assert [words.item(one) for one in keys] == ["2956783042240", "12345670", "12956783042247", "A:1", "X-1"]
    assert words.cost({"cost": "0", "currency": ""}) == "no cost known: the order has no currency"
    assert words.cost({"cost": "2.5", "currency": ""}) == "cost 2.50 (the order has no currency)"
    assert words.cost({"cost": "2.5", "currency": "EUR"}) == "cost 2.50 EUR"


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigError("m", hint="h"), 2), (RefusedError("m", code="c", hint="h"), 3), (UnavailableError("m", hint="h"), 4),
     (AdapterError("m", permanent=True, hint="h"), 5)],
)  # fmt: skip
def test_errors_show_message_and_hint(error: ConfigError, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert error.exit_code == code
    Output(json=False, color=False).error(error)
    assert capsys.readouterr().err == "hansa: m\n       h\n"
    Output(json=True, color=False).error(error)
    told = json.loads(capsys.readouterr().err)["error"]
    assert (told["kind"], told["message"], told["hint"]) == (type(error).__name__, "m", "h")


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = "import sys; from node.cli import main; sys.exit(main(['config', 'describe']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 0


def test_a_question_without_a_terminal_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(RefusedError, match="nothing was done"):
        entry.agreed(Output(json=False, color=False), "Sure?", yes=False)
    entry.agreed(Output(json=False, color=False), "Sure?", yes=True)
    asked = Terminal("yes\n")
    monkeypatch.setattr(sys, "stdin", asked)
    entry.agreed(Output(json=False, color=False), "Sure?", yes=False)


def test_cells_are_words() -> None:
    assert [shown(one) for one in (None, "", True, False, 0, ["a", "b"], {"x": 1})] == [
        "", "", "yes", "no", "0", "a, b", "x=1",
    ]  # fmt: skip
    assert [views.age(one) for one in (5, 119, 120, 7_200, 172_800)] == ["5 s", "119 s", "2 min", "2 h", "2 d"]


def test_what_partners_write_does_nothing_to_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Item numbers, names and reasons are others' words: no colours, no cursor, no letters that run backwards."""
    bad = "A\x1b[2J\x9b1m\u202eB\x00"
    for terminal in (False, True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda said=terminal: said)
        output = Output(json=False, color=False)
        output.table(["item"], [[f"{bad}\nfake"], ["Zürich\xa0☃"]], empty="")
        output.pairs([("name", bad)])
        output.tree({"text": bad}, "")
        output.error(RefusedError(f"{bad} is not taken", code="x"))
        said = "".join(capsys.readouterr())
        assert not set(said) & set("\x1b\x9b\u202e\x00")
        assert said.count("A\\x1b[2J\\x9b1m\\u202eB\\x00") == 4
        assert "Zürich\xa0☃" in said


def test_a_full_disk_is_told_by_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.open", full)
    with pytest.raises(ConfigError, match="No space left") as caught:
        entry.write_new(tmp_path / "x.card", b"")
    assert caught.value.hint == "make room on the disk"
