"""Trivial baselines that a virtual stain has to beat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from ..progress import CancelToken, ProgressCallback
from .comparable import Image, as_image, as_pair
from .evaluation import evaluate, frames_of

BASELINES = {
    "best constant": "the reference's mean everywhere",
    "bright-field": "the bright-field image itself, its gain and offset fitted to the reference",
    "bright-field texture": "the local standard deviation of the bright-field over 0.4 µm, its "
    "gain and offset fitted to the reference",
}


def baselines(
    reference: Any, bright_field: Any = None, *, pixel_size_um: float = 0.08
) -> dict[str, list[Image]]:
    """Return trivial predictions of `reference`, each at its best.

    Gain and offset are fitted over all frames of the reference itself: no user could
    reach these baselines, so a stain that beats them beats any honest version of them.

    Parameters
    ----------
    reference : array (…, Y, X) or list of (Y, X) images
    bright_field : the same, optional
        Without it there is only the best constant.
    pixel_size_um : float
        Size of a pixel, micrometres.

    Returns
    -------
    dict
        Name, as in :data:`BASELINES`, to a list of float64 images, shape (Y, X).

    Raises
    ------
    InputError
        Bright-field and reference differ in shape, NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.arange(256.0).reshape(16, 16)
    >>> trivial = baselines(truth, bright_field=-truth)
    >>> sorted(trivial), bool(np.allclose(trivial["bright-field"][0], truth))
    (['best constant', 'bright-field', 'bright-field texture'], True)
    """
    truth = [as_image(np.asarray(frame), "reference") for frame in frames_of(reference)]
    level = math.fsum(frame.sum() for frame in truth) / sum(frame.size for frame in truth)
    trivial = {"best constant": [np.full(frame.shape, level) for frame in truth]}
    if bright_field is not None:
        raw = [np.asarray(frame) for frame in frames_of(bright_field)]
        images = [as_pair(image, frame)[0] for image, frame in zip(raw, truth, strict=True)]
        trivial["bright-field"] = _fitted(images, truth)
        texture = [_local_sd(image, 0.4 / pixel_size_um) for image in images]
        trivial["bright-field texture"] = _fitted(texture, truth)
    return trivial


def compare(
    predicted: Any,
    reference: Any,
    bright_field: Any = None,
    *,
    data_range: float | tuple[float, float] | None = None,
    pixel_size_um: float = 0.08,
    names: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> pd.DataFrame:
    """Return the scores of the stain and of each trivial baseline, one row per frame each.

    Parameters
    ----------
    predicted, reference, bright_field
        As in :func:`evaluate` and :func:`baselines`.
    data_range, pixel_size_um, names, groups, progress, cancel
        As in :func:`evaluate`.

    Returns
    -------
    DataFrame
        The columns of :func:`evaluate` after a column ``method``: ``virtual stain`` or
        a name of :data:`BASELINES`.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).random((2, 32, 32))
    >>> compare(truth, truth).groupby("method").nrmse.mean().round(1).to_dict()
    {'best constant': 1.0, 'virtual stain': 0.0}
    """
    settings: dict[str, Any] = {
        "data_range": data_range,
        "pixel_size_um": pixel_size_um,
        "names": names,
        "groups": groups,
        "cancel": cancel,
    }
    tables = {"virtual stain": evaluate(predicted, reference, progress=progress, **settings)}
    for name, images in baselines(reference, bright_field, pixel_size_um=pixel_size_um).items():
        tables[name] = evaluate(images, list(frames_of(reference)), **settings)
    for name, table in tables.items():
        table.insert(0, "method", name)
    return pd.concat(tables.values(), ignore_index=True)


def _fitted(images: list[Image], truth: list[Image]) -> list[Image]:
    """Return gain * image + offset, least squares over all frames together."""
    x = np.concatenate([image.ravel() for image in images])
    y = np.concatenate([frame.ravel() for frame in truth])
    spread = float(np.mean((x - x.mean()) ** 2))
    gain = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread else 0.0
    return [gain * (image - x.mean()) + y.mean() for image in images]


def _local_sd(image: Image, sigma: float) -> Image:
    centred = image - image.mean()
    mean = ndimage.gaussian_filter(centred, sigma)
    square = ndimage.gaussian_filter(centred**2, sigma)
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0)), dtype=np.float64)
