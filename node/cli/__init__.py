"""The command `hansa`: reads the command line, calls an operation, shows its result.

Nothing heavy is imported before it is needed, so that `hansa --help` is there at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 130
"""The exit code of a command that was stopped with Ctrl-C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or that of the error (see node.errors)."""
    from node.cli.parser import build_parser

    options = build_parser().parse_args(arguments)
    from node.cli.output import Output
    from node.errors import HansaError

    output = Output(json=options.json, color=options.color)
    try:
        from node.cli.commands import run

        return run(options, output)
    except HansaError as error:
        output.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        output.abandon()
        return 0
    finally:
        output.flush()


if __name__ == "__main__":
    sys.exit(main())
