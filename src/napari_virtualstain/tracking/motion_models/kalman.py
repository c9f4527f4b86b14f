"""Kalman filters of many objects at once.

One filter object in Python costs 30 µs a call; a movie of mitochondria makes some
hundred thousand calls. Here the N objects are the leading axis of every array, so
that a frame costs a handful of matrix products whatever N is.

The equations are those of section 2.4 of the paper (and of every textbook): the
state is predicted with ``F`` and ``Q`` and corrected with ``H`` and ``R``.
"""

from __future__ import annotations

import numpy as np

from ..detections import FloatArray


def predict(
    mean: FloatArray, covariance: FloatArray, transition: FloatArray, process_noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance one frame later.

    Parameters
    ----------
    mean : ndarray of shape (N, d)
        States.
    covariance : ndarray of shape (N, d, d)
        Their covariances.
    transition, process_noise : ndarray of shape (d, d) or (N, d, d)
        ``F`` and ``Q``.

    Examples
    --------
    >>> mean, covariance = np.array([[0.0, 1.0]]), np.eye(2)[None]
    >>> predict(mean, covariance, np.array([[1.0, 1.0], [0.0, 1.0]]), np.zeros((2, 2)))[0]
    array([[1., 1.]])
    """
    later = np.einsum("...ij,...j->...i", transition, mean)
    spread = transition @ covariance @ np.swapaxes(transition, -1, -2) + process_noise
    return later, spread


def innovation(
    mean: FloatArray,
    covariance: FloatArray,
    observation: FloatArray,
    observation_noise: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the predicted measurement ``H m`` and its covariance ``S = H P Hᵀ + R``."""
    expected = np.einsum("...ij,...j->...i", observation, mean)
    spread = observation @ covariance @ np.swapaxes(observation, -1, -2) + observation_noise
    return expected, spread


def update(
    mean: FloatArray,
    covariance: FloatArray,
    measured: FloatArray,
    observation: FloatArray,
    observation_noise: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance after a measurement (Joseph form, which stays symmetric).

    Parameters
    ----------
    mean, covariance : ndarray of shape (N, d), (N, d, d)
        Predicted states.
    measured : ndarray of shape (N, m)
        What was seen.
    observation, observation_noise : ndarray of shape (m, d), (m, m)
        ``H`` and ``R``.
    """
    expected, spread = innovation(mean, covariance, observation, observation_noise)
    cross = covariance @ np.swapaxes(observation, -1, -2)
    gain = np.swapaxes(np.linalg.solve(spread, np.swapaxes(cross, -1, -2)), -1, -2)
    corrected = mean + np.einsum("...ij,...j->...i", gain, measured - expected)
    keep = np.eye(mean.shape[-1]) - gain @ observation
    narrowed = keep @ covariance @ np.swapaxes(keep, -1, -2)
    narrowed += gain @ observation_noise @ np.swapaxes(gain, -1, -2)
    return corrected, narrowed


def squared_mahalanobis(
    measured: FloatArray, expected: FloatArray, spread: FloatArray
) -> FloatArray:
    """Return ``(z - H m)ᵀ S⁻¹ (z - H m)`` of each pair, shape (N,)."""
    difference = (measured - expected)[..., None]
    solved = np.linalg.solve(spread, difference)
    return np.asarray((difference * solved).sum(axis=(-2, -1)))


def smooth(
    means: FloatArray,
    covariances: FloatArray,
    transition: FloatArray,
    process_noise: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the Rauch-Tung-Striebel smoothed states of filtered ones.

    Parameters
    ----------
    means : ndarray of shape (T, ..., d)
        Filtered states, time first; any number of objects between.
    covariances : ndarray of shape (T, ..., d, d)
        Their covariances.
    transition, process_noise : ndarray of shape (d, d)
        ``F`` and ``Q``.
    """
    smoothed, spreads = means.copy(), covariances.copy()
    for t in range(len(means) - 2, -1, -1):
        later, spread = predict(means[t], covariances[t], transition, process_noise)
        cross = transition @ covariances[t]
        gain = np.swapaxes(np.linalg.solve(spread, cross), -1, -2)
        smoothed[t] += np.einsum("...ij,...j->...i", gain, smoothed[t + 1] - later)
        change = spreads[t + 1] - spread
        spreads[t] += gain @ change @ np.swapaxes(gain, -1, -2)
    return smoothed, spreads
