"""A process that a test starts and kills: it writes to a store, and says on its output what was acknowledged."""

from __future__ import annotations

import sys
import threading

from node.errors import HansaError
from node.ports import Transaction
from node.store.database import Database, open_store

THREADS = 4
PARTS = 5


def write(number: int, tx: Transaction) -> None:
    """A transaction whose parts must all be there, or none."""
    for part in range(PARTS):
        tx.settings.put(f"{number}.{part}", "x")


def loop(store: Database, thread: int) -> None:
    """Write until the process is killed."""
    number = thread
    while True:
        store.write(lambda tx, number=number: write(number, tx))  # type: ignore[misc]
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += THREADS


def main(url: str, mode: str) -> int:
    """Open the store and write for ever, or only open it."""
    try:
        store = open_store(url)
    except HansaError as error:
        sys.stdout.write(f"{type(error).__name__}: {error.message}\n")
        return 3
    sys.stdout.write("open\n")
    sys.stdout.flush()
    if mode == "loop":
        for thread in range(1, THREADS):
            threading.Thread(target=loop, args=(store, thread), daemon=True).start()
        loop(store, 0)
    sys.stdin.read()
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
