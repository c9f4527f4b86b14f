"""Clean-up actions of a dock, kept apart from the widget itself.

A dock never receives ``closeEvent``. Removed from the window it loses its parent;
when the window closes it is destroyed, and then its own slots are no longer called.
So the clean-up lives in a plain object that ``destroyed`` can still reach.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Cleanup:
    """Callables that run once, last registered first.

    Examples
    --------
    >>> log = []
    >>> cleanup = Cleanup()
    >>> cleanup.add(log.append, "closed")
    >>> cleanup.run(); cleanup.run()
    >>> log
    ['closed']
    """

    def __init__(self) -> None:
        self._steps: list[Callable[[], Any]] = []

    def add(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call `function` with `arguments` at the end."""
        self._steps.append(lambda: function(*arguments))

    def connect(self, emitter: Any, slot: Callable[..., Any]) -> None:
        """Connect `slot` to a napari event emitter until the end."""
        emitter.connect(slot)
        self.add(emitter.disconnect, slot)

    def run(self) -> None:
        """Run what was registered; later calls do nothing."""
        while self._steps:
            step = self._steps.pop()
            # Half of the window may be gone already; each step is on its own.
            with suppress(RuntimeError, ValueError, TypeError, KeyError, AttributeError):
                step()
