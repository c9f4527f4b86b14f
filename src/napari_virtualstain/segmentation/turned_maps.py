"""A network's maps, averaged over the eight turns and flips of the plane.

Foreground and contact turn as an image does. A map about pairs of pixels also changes its
meaning: after a quarter turn, the partner that lay to the right lies above. It is then that
of another step, or of the opposite of one, seen from the partner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .affinities import Step, pixels_with_partner

Maps = NDArray[np.float32]


def averaged_over_turns(
    predict: Callable[[Maps], Maps], plane: Maps, steps: Sequence[Step]
) -> Maps:
    """Return the mean of `predict` over the eight orientations of the plane.

    Parameters
    ----------
    predict : callable
        From (1, 1, Y, X) to (1, C, Y, X), of which the last channels speak of the `steps`.
    plane : ndarray of float32, shape (Y, X)
        What it is given.
    steps : sequence of K (dy, dx)
        A step of which no turned one is the image or its opposite keeps the orientations
        that it has.

    Returns
    -------
    ndarray of float32, shape (C, Y, X)

    Examples
    --------
    >>> plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    >>> bool((averaged_over_turns(lambda laid: 2 * laid, plane, ())[0] == 2 * plane).all())
    True
    """
    from ..engine import orientations, turned, turned_back

    total: Maps = np.zeros((), np.float32)
    count: NDArray[np.float64] = np.zeros(())
    for orientation in orientations(True):
        maps = turned_back(predict(turned(plane[None, None], *orientation))[0], *orientation)
        if not total.ndim:
            total, count = np.zeros(maps.shape, np.float32), np.zeros(len(maps))
        plain = len(maps) - len(steps)
        total[:plain] += maps[:plain]
        count[:plain] += 1
        for channel, step in enumerate(steps, start=plain):
            forward = _turned_step(step, *orientation)
            backward = (-forward[0], -forward[1])
            if forward in steps:
                total[channel] += maps[plain + steps.index(forward)]
            elif backward in steps:
                here, there = pixels_with_partner(step, plane.shape)
                total[channel][here] += maps[plain + steps.index(backward)][there]
            count[channel] += forward in steps or backward in steps
    return (total / count[:, None, None]).astype(np.float32)


def _turned_step(step: Step, turns: int, flipped: bool) -> Step:
    """Return where `step` points after :func:`napari_virtualstain.engine.turned`."""
    dy, dx = step
    for _ in range(turns):
        dy, dx = -dx, dy
    return (dy, -dx) if flipped else (dy, dx)
