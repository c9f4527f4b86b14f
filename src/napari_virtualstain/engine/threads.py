"""Number of processor threads for networks."""

from __future__ import annotations

import os

import torch


def use_threads(count: int = 0) -> int:
    """Let torch use `count` threads from now on, and return how many that are.

    Parameters
    ----------
    count : int
        0 leaves one core to whatever else runs, such as a viewer, unless the environment
        variable ``OMP_NUM_THREADS`` says otherwise.

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> use_threads(1)
    1
    >>> use_threads(before) == before
    True
    """
    if count < 1:
        if os.environ.get("OMP_NUM_THREADS"):
            return torch.get_num_threads()
        count = max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(count)
    return count
