"""The operation that copies a home while its node runs: the database, and every file that the settings name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from node.app.operations.registry import Host, Report, operation
from node.config.named_files import named_files
from node.errors import ConfigError

__all__: list[str] = []

DATABASE = "hansa.db"
OUTSIDE = "outside"
"""The folder in a backup that takes files from outside the home, each below its whole path."""


@operation("backup")
def backup(host: Host, *, folder: str, report: Report) -> dict[str, Any]:
    """Copy database, settings and what they name into a new or empty folder. Keys and secrets stay where they are.

    A database that has tools of its own for this is not in it; the command that copies it is told. Raises ConfigError
    where the folder cannot be written.
    """
    settings = host.ctx.settings
    target = Path(folder)
    if not target.is_absolute():
        raise ConfigError(f"{folder}: the folder's whole path is needed")
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise ConfigError(f"{target} is not empty", hint="name a new folder; a backup replaces nothing")
        report("copying the database")
        by_tool = host.backup(target / DATABASE)
        named = named_files(settings.home)
        places = {path: _place(path, named.home) for path in named.files}
        for path, place in places.items():
            (target / place).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy2(path, target / place)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or target}: {error.strerror or error}",
            hint="the node's user must be able to read what the settings name, and to write to the folder",
        ) from None
    given = settings.database
    files = [*([] if by_tool else [DATABASE]), *map(str, places.values())]
    return {
        "folder": str(target),
        "files": {name: (target / name).stat().st_size for name in files},
        "outside": {str(place): str(path) for path, place in places.items() if place.parts[0] == OUTSIDE},
        "copy_database_by": by_tool,
        "database_elsewhere": bool(given.url or given.url_env or given.url_file),
        "keys": str(settings.home / "keys"),
        "secrets": [str(path) for path in named.secrets],
        "unread": [str(path) for path in named.unread],
    }


def _place(path: Path, home: Path) -> Path:
    """Where a file lies in the backup: as in the home, or by its whole path below `OUTSIDE`."""
    return path.relative_to(home) if path.is_relative_to(home) else Path(OUTSIDE, *path.parts[1:])
