"""The demonstration with its real nodes, killed again and again: nothing changes in its summary."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_nodes_killed_at_any_time_change_nothing(tmp_path: Path) -> None:
    arguments = ["--orders", "40", "--accidents", "8", "--folder", str(tmp_path / "demo")]
    if "HANSA_SAMPLES" in os.environ:
        arguments += ["--data", str(Path(os.environ["HANSA_SAMPLES"]) / "retail" / "onlineretail.csv.gz")]
    done = subprocess.run(
        [sys.executable, "scripts/demo_main.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "Everything adds up" in done.stdout
    assert "Every piece is where it should be" in done.stdout
    assert "was started again" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_the_background_too(number: int, tmp_path: Path) -> None:
    """A shell lets what it starts with & ignore Ctrl-C; the companies must not be left running."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from scripts import demo_main\n"
        "def tell(*_):\n"
        "    print('began', flush=True)\n"
        "    signal.sigtimedwait([], 60)\n"
        "demo_main._run = tell\n"
        f"sys.argv = ['demo', '--folder', {str(tmp_path / 'demo')!r}]\n"
        "sys.exit(demo_main.main())"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "began\n"
        running.send_signal(number)
        assert running.stdout.readline() == "stopped\n"
        assert running.wait(30) == 1
