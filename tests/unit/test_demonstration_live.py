"""The demonstration with its real nodes, killed again and again: nothing changes in its summary."""

from __future__ import annotations

import os
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
