"""Written files: one for each document identity, complete or not there at all, and never twice."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from adapters.staging import Staging
from node.errors import AdapterError

__all__ = ["Outbox"]

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Outbox:
    """Writes files into `folder`; `staging` remembers which identity got which file.

    The order makes it safe to die anywhere: the bytes first, under a hidden name; then the identity with the file's
    name; then the renaming. An identity that is known and whose hidden file is gone was renamed, even when whoever
    reads the folder has taken the file away since.
    """

    def __init__(self, folder: Path, staging: Staging) -> None:
        self._folder = folder
        self._staging = staging

    def write(self, identity: str, label: str, suffix: str, content: Callable[[], bytes]) -> str:
        """Write what `content` makes, once for `identity`; the file's name, the same each time.

        Raises AdapterError when the folder cannot be written.
        """
        connection = self._staging.connection
        row = connection.execute("SELECT reference, state FROM hansa_outbox WHERE identity = ?", (identity,)).fetchone()
        try:
            if row is None:
                digest = hashlib.blake2b(identity.encode(), digest_size=6).hexdigest()
                name = f"{_UNSAFE.sub('-', label).strip('-.')[:80]}_{digest}{suffix}"
                data = content()
                self._folder.mkdir(parents=True, exist_ok=True)
                with self._hidden(name).open("wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                with self._staging.transaction():
                    connection.execute("INSERT INTO hansa_outbox VALUES (?, ?, 'writing')", (identity, name))
            else:
                name = str(row[0])
            if row is None or row[1] == "writing":
                hidden = self._hidden(name)
                if hidden.exists():
                    hidden.replace(self._folder / name)
                with self._staging.transaction():
                    connection.execute("UPDATE hansa_outbox SET state = 'written' WHERE identity = ?", (identity,))
        except OSError as error:
            raise AdapterError(
                f"{self._folder}: cannot be written: {error.strerror or error}", hint="Check the folder's permissions."
            ) from error
        return name

    def _hidden(self, name: str) -> Path:
        return self._folder / f".{name}.tmp"
