"""What README.md tells two companies to type is typed here, and does what it says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from node import control
from node.errors import HansaError
from tests.acceptance.processes import PATIENCE_SECONDS

HEADING = "## Connecting two companies by hand"
PORT = "7520"


def blocks(readme: str) -> list[list[str]]:
    """The commands of each shell block of the section, in order."""
    section = readme.partition(HEADING)[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return [[line for line in block.splitlines() if line] for block in found]


class Shell:
    """One shell in an empty folder, fed as by a person who reads what comes before typing the next command."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self._port = folder, port
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._shell = subprocess.Popen(
            ["/bin/sh"],
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._shell.stdout is not None
        with self._shell.stdout as said:
            for line in said:
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()

    def type(self, command: str) -> str:
        """Run a command, wait for its end, and return what it has said. It must succeed."""
        assert self._shell.stdin is not None
        with self._changed:
            begun = len(self._lines)
        self._shell.stdin.write(f'{command.replace(PORT, str(self._port))}\necho "ended $?"\n')
        self._shell.stdin.flush()
        with self._changed:
            said: list[str] = []

            def ended() -> bool:
                said[:] = self._lines[begun:]
                return any(line.startswith("ended ") for line in said)

            assert self._changed.wait_for(ended, PATIENCE_SECONDS), (command, said)
        text = "\n".join(said)
        assert "ended 0" in said, f"{command}\n{text}"
        if command.endswith("&"):
            self.type('running="$running $!"')
        return text.replace("ended 0", "").strip()

    def until(self, *words: str) -> None:
        """Wait for a line with these words from what runs in the background."""

        def there() -> bool:
            return any(all(word in line for word in words) for line in self._lines)

        with self._changed:
            assert self._changed.wait_for(there, PATIENCE_SECONDS), (words, self._lines)

    def ask(self, home: str, operation: str, **arguments: Any) -> Any:
        """What a running node says."""
        with control.connected(self.folder / home) as client:
            assert client is not None
            return client.call(operation, arguments, lambda *_: None)

    def settled(self) -> None:
        """Wait until both know each other, and nothing is on its way."""
        end = monotonic() + PATIENCE_SECONDS
        while not all(self._settled(home) for home in ("shop", "supplier")):
            assert monotonic() < end, self._lines
            with self._changed:
                self._changed.wait(0.05)

    def _settled(self, home: str) -> bool:
        (partner,) = self.ask(home, "partner.list")["partners"]
        listed = self.ask(home, "documents.list", direction="out")["documents"]
        under_way = [one for one in listed if one["state"] in ("waiting", "sent")]
        return partner["state"] == "confirmed" and partner["connected"] and not under_way

    def close(self) -> None:
        """End the nodes and the shell."""
        self.type("kill $running; wait")
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        assert self._shell.wait(PATIENCE_SECONDS) == 0
        self._reader.join(PATIENCE_SECONDS)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    opened = Shell(tmp_path, port)
    yield opened
    opened.close()


def fingerprint_in(said: str) -> str:
    """The fingerprint that a command has printed, as a person reads it out."""
    (found,) = set(re.findall(r"\b(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}\b", said))
    return str(found)


def test_two_companies_are_connected_by_the_commands_of_the_readme(shell: Shell, project_root: Path) -> None:
    """One day of two companies: connected by hand, an order and its answer, then what operations need of a link.

    Only the port is another than in the text, so that two runs of the tests do not meet.
    """
    make, connect, trade = blocks((project_root / "README.md").read_text(encoding="utf-8"))
    said = {command: shell.type(command) for command in make}
    for company in ("shop", "supplier"):
        printed = [fingerprint_in(text) for command, text in said.items() if f"--home {company} " in command]
        assert len(printed) == 2, "both init and partner card print the fingerprint"
        assert len(set(printed)) == 1
        shell.type(f"{company.upper()}_FINGERPRINT={printed[0]}")
    for command in connect:
        shell.type(command)
    shell.until("connected", "direction=answered")
    shell.settled()
    for command in trade[:-1]:
        shell.type(command)
        shell.settled()  # whoever types the next command has read what came of this one
    shown = shell.type(trade[-1])
    assert "PO-1" in shown
    assert "85123A" in shown
    for home in ("shop", "supplier"):
        (order,) = shell.ask(home, "order.show", order="PO-1")["orders"]
        (line,) = order["lines"]
        assert (line["ordered"], line["accepted"], line["rejected"]) == ("6", "4", "2"), line
        assert line["pieces"][0]["promised_on"] == "2030-12-01"
    go_live(shell)
    keys_change_with_documents_in_flight(shell)
    revoke(shell)


def partner_of(shell: Shell, home: str) -> dict[str, Any]:
    (partner,) = shell.ask(home, "partner.list")["partners"]
    return dict(partner)


def go_live(shell: Shell) -> None:
    """Nothing is productive before both have said so; then everything is."""
    shop, supplier = partner_of(shell, "supplier")["id"], partner_of(shell, "shop")["id"]
    assert shell.ask("shop", "partner.ping", partner="Nordwind")["milliseconds"] >= 0
    assert shell.ask("shop", "partner.go-live", partner=supplier)["usage"] == "TEST"
    shell.settled()
    assert partner_of(shell, "supplier")["usage"] == "TEST"
    shell.ask("supplier", "partner.go-live", partner=shop)
    shell.settled()
    assert [partner_of(shell, home)["usage"] for home in ("shop", "supplier")] == ["PRODUCTION", "PRODUCTION"]


def place(shell: Shell, number: str) -> None:
    line = {"line": "85123A", "quantity": "1"}
    shell.ask("shop", "order.place", partner="Nordwind", number=number, lines=[line])


def keys_change_with_documents_in_flight(shell: Shell) -> None:
    """Both sides change their keys in the middle of the traffic; every order arrives once, and old keys go."""
    before = {home: {one["key_id"] for one in shell.ask(home, "key.list")["keys"]} for home in ("shop", "supplier")}
    numbers = [f"PO-K{count}" for count in range(30)]
    for count, number in enumerate(numbers):
        if count in (10, 20):
            shell.ask("shop" if count == 10 else "supplier", "key.rotate")
        place(shell, number)
    shell.settled()
    arrived = shell.ask("supplier", "documents.list", type="Order", direction="in", limit=100)["documents"]
    assert sorted(one["number"] for one in arrived) == sorted(["PO-1", *numbers])
    assert {one["state"] for one in arrived} == {"taken"}
    for home in ("shop", "supplier"):
        keys = {one["key_id"] for one in shell.ask(home, "key.list")["keys"] if one["in_force"]}
        assert keys - before[home], "the new key is in force"


def revoke(shell: Shell) -> None:
    """The session ends at once, and who was revoked gets nothing any more, not even a greeting."""
    revoked = partner_of(shell, "shop")["id"]
    place(shell, "PO-LAST")
    shell.settled()
    shell.ask("shop", "partner.revoke", partner=revoked, reason="no more business")
    shell.until("disconnected", "reason=revoked")
    assert partner_of(shell, "shop")["state"] == "revoked"
    assert not partner_of(shell, "shop")["connected"]
    with pytest.raises(HansaError, match="revoked"):
        place(shell, "PO-AFTER")
    before = partner_of(shell, "supplier")["last_seen_at"]
    shell.until("call:", "cannot be reached")  # the supplier calls again, and is not let in
    assert not partner_of(shell, "supplier")["connected"]
    assert partner_of(shell, "supplier")["last_seen_at"] == before
    assert not shell.ask("supplier", "documents.list", number="PO-AFTER")["documents"]
