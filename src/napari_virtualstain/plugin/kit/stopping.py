"""Stopping a network in the middle of a tile.

One tile of a large model takes seconds on a slow machine, and a user who cancels should
not wait for it: each layer looks at the token before it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...progress import CancelToken


def stop_inside(network: Any, token: Callable[[], CancelToken]) -> None:
    """Let every layer of `network` raise ``CancelledError`` once the token is cancelled.

    Parameters
    ----------
    network : torch.nn.Module
        Copies of it that are made later look at the same token.
    token : callable
        Returns the token of the moment.
    """

    def look(*_: Any) -> None:
        token().raise_if_cancelled()

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_pre_hook(look)
