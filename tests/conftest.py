"""What every test may use: the checkout's root, the outside samples where they exist, Hypothesis' profiles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = "HANSA_SAMPLES"

# The same examples on every run and every machine: a red check is then the change's doing. HYPOTHESIS_PROFILE=search
# looks for new ones.
settings.register_profile(
    "steady", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "search", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def samples() -> Path:
    """Records of real systems that we did not write, named by the environment; without them the test is skipped."""
    named = os.environ.get(SAMPLES)
    if not named:
        pytest.skip(f"{SAMPLES} does not name a folder of sample files")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"{SAMPLES} names {named}, which is not a folder")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seed N` replays one run of the simulation."""
    parser.addoption("--seed", type=int, default=None, help="replay this seed of the simulation")
