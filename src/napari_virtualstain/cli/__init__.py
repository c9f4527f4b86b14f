"""The ``virtualstain`` command: everything headless.

Each module holds one command. Heavy libraries are imported inside the commands, so
that ``virtualstain --help`` answers at once.
"""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from .app import app

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a redirected stream on Windows knows neither ∞ nor every file name
            stream.reconfigure(errors="replace")
    app()
