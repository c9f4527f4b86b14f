"""The ``virtualstain`` command: everything headless.

Each module holds one command. Heavy libraries are imported inside the commands, so
that ``virtualstain --help`` answers at once.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    from .app import app

    app()
