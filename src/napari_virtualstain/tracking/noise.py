"""How far things go and how well they are seen, estimated from the movie itself.

A fixed noise is the commonest reason for lost identities: the same tracker with process
noise off by two gives IDF1 .59 instead of .77. The step is taken from mutual nearest
neighbours of consecutive frames, then the weights of the motions from a first linking.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from .detections import Detections, FloatArray
from .extended import LinkModel
from .mixture import MotionMixture

_MEDIAN_OF_RAYLEIGH = 1.1774
_FRAMES_LOOKED_AT = 60
# persistence, and step variances in units of the typical squared step
_GRID = {
    -0.3: (0.25, 1.0, 3.0),
    0.0: (0.1, 0.7, 2.0, 6.0),
    0.5: (0.25, 1.0, 3.0),
    0.95: (0.1, 0.5, 1.5),
}
_STAYS = 0.97
_NOISE_PART = 0.1
_LOG_NEW = -12.0
_LOG_MISSED = -2.0


def typical_step_um(detections: Detections) -> float:
    """Return the standard deviation of a step along one axis, per frame.

    Parameters
    ----------
    detections : Detections
        Of a whole movie; at most 60 pairs of frames are looked at.

    Returns
    -------
    float
        0 when no two frames follow each other.
    """
    parts = detections.slices()
    steps = []
    stride = max(1, len(parts) // _FRAMES_LOOKED_AT)
    for (_, a), (_, b) in list(pairwise(parts))[::stride]:
        steps.append(_mutual_steps(detections.position_um[a], detections.position_um[b]))
    found = np.concatenate(steps) if steps else np.zeros(0)
    return float(np.median(found) / _MEDIAN_OF_RAYLEIGH) if len(found) else 0.0


def _mutual_steps(before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the distances of points that are each other's nearest."""
    distance, forth = map(np.asarray, cKDTree(after).query(before))
    back = np.asarray(cKDTree(before).query(after)[1])
    return np.asarray(distance[back[forth] == np.arange(len(before))])


def first_model(detections: Detections, search_radius_um: float | None = None) -> LinkModel:
    """Return a broad model of the movie, every motion equally probable.

    Parameters
    ----------
    detections : Detections
        Of a whole movie.
    search_radius_um : float or None
        The user's; it takes the place of the step where none can be measured.
    """
    step = typical_step_um(detections) or (search_radius_um or 1.0) / 4
    return model_from_step(step)


def model_from_step(step_um: float) -> LinkModel:
    """Return the broad model of objects that go about `step_um` a frame along an axis."""
    persistence = [phi for phi, sizes in _GRID.items() for _ in sizes]
    variance = [size * step_um**2 for sizes in _GRID.values() for size in sizes]
    count = len(persistence)
    prior = np.full(count, 1.0 / count)
    mixture = MotionMixture(
        persistence=np.array(persistence),
        step_variance=np.array(variance),
        prior=prior,
        transition=_STAYS * np.eye(count) + (1 - _STAYS) * prior,
        noise_variance=_NOISE_PART * step_um**2,
    )
    return LinkModel(mixture, _LOG_NEW - 2 * np.log(step_um), _LOG_MISSED)
