"""Check that the locks hold every requirement of pyproject.toml, hashed, and agree with the generated code's stamps.

It works offline: it reads what is committed and asks no package index.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
PROTOBUF_STAMP = re.compile(r"^# Protobuf Python Version: (\S+)$", re.MULTILINE)
GRPC_STAMP = re.compile(r"^GRPC_GENERATED_VERSION = '([^']+)'$", re.MULTILINE)
ADDRESS = re.compile(r"https?://|^--(?:extra-)?index-url|^--find-links", re.MULTILINE)

Pins = dict[str, list[Version]]


def read_pins(text: str) -> tuple[Pins, list[str]]:
    """Return the pinned versions by canonical name, and the names of pins without a hash."""
    pins: Pins = {}
    unhashed: list[str] = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        found = PIN.match(block)
        if not found:
            continue
        pins.setdefault(canonicalize_name(found["name"]), []).append(Version(found["version"]))
        if "--hash=sha256:" not in block:
            unhashed.append(found["name"])
    return pins, unhashed


def check_lock(name: str, text: str, wanted: list[Requirement]) -> list[str]:
    """Say what is wrong with one lock file: an address, a pin without hash, a requirement that no pin satisfies."""
    pins, unhashed = read_pins(text)
    remarks = [f"{name}: {package} has no hash" for package in unhashed]
    if ADDRESS.search(text):
        remarks.append(f"{name}: names the address of a package index")
    for requirement in wanted:
        versions = pins.get(canonicalize_name(requirement.name), [])
        if not any(requirement.specifier.contains(version, prereleases=True) for version in versions):
            remarks.append(f"{name}: nothing satisfies {requirement}")
    return remarks


def floor(requirements: list[Requirement], name: str) -> Version:
    """Return the version in the lower bound (or exact pin) of the requirement of that name."""
    for requirement in requirements:
        if requirement.name == name:
            bounds = [part.version for part in requirement.specifier if part.operator in {">=", "=="}]
            return Version(bounds[0])
    raise LookupError(f"pyproject.toml does not require {name}")


def stamps(generated: Path, pattern: re.Pattern[str]) -> set[Version]:
    """Return the versions that the generated modules are stamped with."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(generated.rglob("*.py")))
    return {Version(stamp) for text in texts for stamp in pattern.findall(text)}


def check_stamps(generated: Path, runtime: list[Requirement], dev: list[Requirement]) -> list[str]:
    """Say where a floor is below what the generated code was made with, which it would refuse to run on."""
    remarks = []
    for name, pattern in (("protobuf", PROTOBUF_STAMP), ("grpcio", GRPC_STAMP)):
        found = stamps(generated, pattern)
        if found != {floor(runtime, name)}:
            shown = ", ".join(sorted(map(str, found))) or "nothing"
            remarks.append(f"the floor of {name} is {floor(runtime, name)}; proto/gen is stamped with {shown}")
    if floor(runtime, "grpcio") != floor(dev, "grpcio-tools"):
        remarks.append("grpcio's floor and grpcio-tools' pin differ")
    return remarks


def main() -> int:
    """Check both locks and the stamps; return the exit status."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        metadata = tomllib.load(file)
    runtime = [Requirement(text) for text in metadata["project"]["dependencies"]]
    dev = [Requirement(text) for text in metadata["project"]["optional-dependencies"]["dev"]]
    build = [Requirement(text) for text in metadata["dependency-groups"]["build"]]
    remarks = []
    for name, wanted in (("requirements.lock", runtime + build), ("requirements-dev.lock", runtime + build + dev)):
        remarks += check_lock(name, (ROOT / name).read_text(encoding="utf-8"), wanted)
    remarks += check_stamps(ROOT / "proto" / "gen", runtime, dev)
    for remark in remarks:
        print(f"check_locks: {remark}", file=sys.stderr)
    if remarks:
        print("check_locks: scripts/lock writes the lock files, scripts/gen_proto the stamps", file=sys.stderr)
    return 1 if remarks else 0


if __name__ == "__main__":
    sys.exit(main())
