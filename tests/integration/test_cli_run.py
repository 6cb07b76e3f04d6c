"""`hansa run` as a real process: commands reach it over its socket, and SIGTERM ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from node.cli import main


def test_commands_reach_the_running_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    assert main(["--home", str(home), "init", "--name", "Shop"]) == 0
    command = [sys.executable, "-m", "node.cli", "--home", str(home), "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            seen = []
            for line in running.stderr:
                seen.append(line)
                if "ready" in line:
                    break
            assert running.poll() is None, seen
            capsys.readouterr()
            assert main(["--home", str(home), "--json", "status"]) == 0
            assert json.loads(capsys.readouterr().out)["running"] is True
            assert main(["--home", str(home), "order", "show", "X"]) == 3
            assert main(["--home", str(home), "--json", "backup", str(tmp_path / "copy")]) == 0
            said = capsys.readouterr()
            assert "no order 'X'" in said.err
            assert "copying the database" in said.err
        finally:
            running.send_signal(signal.SIGTERM)
            running.stderr.read()
        assert running.wait(60) == 0
    assert not (home / "control.sock").exists()
    assert main(["--home", str(home), "status"]) == 4
