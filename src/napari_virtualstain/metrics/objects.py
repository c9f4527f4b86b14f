"""Scores of instance labels against true labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment
from skimage.segmentation import find_boundaries

from ..axes import check_positive
from ..errors import InputError

Labels = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Matches:
    """Matching of predicted and true objects.

    Attributes
    ----------
    predicted, reference : ndarray, shape (M,), int
        Labels of the matched pairs.
    iou : ndarray, shape (M,), float64
        Their intersection over union.
    predicted_count, reference_count : int
        Objects in all.
    """

    predicted: npt.NDArray[np.int64]
    reference: npt.NDArray[np.int64]
    iou: npt.NDArray[np.float64]
    predicted_count: int
    reference_count: int


def match_objects(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, *, iou_threshold: float = 0.5
) -> Matches:
    """Return the one-to-one matches of two label images with the largest total overlap.

    Parameters
    ----------
    predicted, reference : array_like of int, shape (Y, X)
        0 is background.
    iou_threshold : float
        Smallest intersection over union of a match, in (0, 1]. From 0.5 on there is at
        most one candidate.

    Raises
    ------
    InputError
        Unlike shapes, labels that are not whole numbers or negative, bad threshold.

    Examples
    --------
    >>> match_objects([[1, 1, 0, 2]], [[5, 5, 0, 0]]).reference.tolist()
    [5]
    """
    if not 0 < iou_threshold <= 1:
        raise InputError(f"The IoU threshold is {iou_threshold}: expected one in (0, 1].")
    first, second = as_labels(predicted, reference)
    names, (rows, columns) = zip(
        *(np.unique(image, return_inverse=True) for image in (first, second)), strict=True
    )
    shape = len(names[0]), len(names[1])
    overlap = np.bincount(
        rows.ravel() * shape[1] + columns.ravel(), minlength=shape[0] * shape[1]
    ).reshape(shape)
    union = overlap.sum(1, keepdims=True) + overlap.sum(0, keepdims=True) - overlap
    iou = (overlap / union)[np.ix_(names[0] > 0, names[1] > 0)]
    objects = [found[found > 0].astype(np.int64) for found in names]
    row, column = linear_sum_assignment(np.where(iou >= iou_threshold, iou, 0), maximize=True)
    good = iou[row, column] >= iou_threshold
    row, column = row[good], column[good]
    return Matches(
        objects[0][row], objects[1][column], iou[row, column], len(objects[0]), len(objects[1])
    )


def object_scores(
    predicted: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    iou_threshold: float = 0.5,
    boundary_tolerance_px: float = 2.0,
) -> dict[str, float]:
    """Return how well each object of one frame was found.

    Parameters
    ----------
    predicted, reference : array_like of int, shape (Y, X)
        0 is background.
    iou_threshold : float
        Smallest intersection over union of a found object.
    boundary_tolerance_px : float
        How far outlines may lie apart, pixels.

    Returns
    -------
    dict
        ``iou`` of the masks, ``miou``, the mean of that and of the background's; ``precision``,
        ``recall``, ``f1``, ``ap`` = TP/(TP+FP+FN) and ``pq`` (panoptic quality) of the
        objects; ``matched_iou``, the mean of the found ones; ``boundary_f1``;
        ``predicted_count``, ``reference_count``. NaN where both are empty; ``miou`` is then
        that of the background.

    Examples
    --------
    >>> object_scores([[1, 1, 0, 2]], [[5, 5, 0, 0]])["f1"].__round__(3)
    0.667
    """
    matches = match_objects(predicted, reference, iou_threshold=iou_threshold)
    found, total = len(matches.iou), matches.predicted_count + matches.reference_count
    first, second = as_labels(predicted, reference)
    inside = int(((first > 0) & (second > 0)).sum())
    outside = int(((first == 0) & (second == 0)).sum())
    classes = [_ratio(inside, first.size - outside), _ratio(outside, first.size - inside)]
    present = [value for value in classes if not math.isnan(value)]
    return {
        "iou": classes[0],
        "miou": _ratio(sum(present), len(present)),
        "precision": _ratio(found, matches.predicted_count),
        "recall": _ratio(found, matches.reference_count),
        "f1": _ratio(2 * found, total),
        "ap": _ratio(found, total - found),
        "pq": _ratio(2 * float(matches.iou.sum()), total),
        "matched_iou": _ratio(float(matches.iou.sum()), found),
        "boundary_f1": boundary_f1(first, second, tolerance_px=boundary_tolerance_px),
        "predicted_count": float(matches.predicted_count),
        "reference_count": float(matches.reference_count),
    }


def boundary_f1(
    predicted: npt.ArrayLike, reference: npt.ArrayLike, *, tolerance_px: float = 2.0
) -> float:
    """Return the F1 of outline pixels that lie within a tolerance of the other outline.

    Parameters
    ----------
    predicted, reference : array_like of int, shape (Y, X)
    tolerance_px : float
        Pixels.

    Returns
    -------
    float
        In [0, 1]; NaN where neither has an outline, 0 where only one has.

    Notes
    -----
    Csurka et al., BMVC 2013, over the inner boundaries of the labels, so that touching
    objects that were not separated cost something.

    Examples
    --------
    >>> boundary_f1([[0, 1, 1, 0]], [[0, 1, 1, 0]])
    1.0
    """
    limit = check_positive(tolerance_px, "boundary tolerance", "pixels") or 0.0
    outlines = [find_boundaries(image, mode="inner") for image in as_labels(predicted, reference)]
    if not any(outline.any() for outline in outlines):
        return math.nan
    if not all(outline.any() for outline in outlines):
        return 0.0
    distances = [distance_transform_edt(~outline) for outline in outlines]
    precision = float((distances[1][outlines[0]] <= limit).mean())
    recall = float((distances[0][outlines[1]] <= limit).mean())
    return _ratio(2 * precision * recall, precision + recall, empty=0.0)


def evaluate_labels(
    predicted: Any,
    reference: Any,
    *,
    iou_threshold: float = 0.5,
    boundary_tolerance_px: float = 2.0,
    groups: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return one row of :func:`object_scores` for each frame.

    Parameters
    ----------
    predicted, reference : array of int, shape (…, Y, X)
        NumPy or lazy.
    iou_threshold, boundary_tolerance_px
        See :func:`object_scores`.
    groups : sequence of str, optional
        One for each frame, copied to the column ``group``.

    Returns
    -------
    DataFrame
        ``frame`` and the scores.

    Examples
    --------
    >>> import numpy as np
    >>> evaluate_labels(np.eye(3, dtype=int), np.eye(3, dtype=int)).f1.tolist()
    [1.0]
    """
    first, second = (
        image if hasattr(image, "shape") else np.asarray(image) for image in (predicted, reference)
    )
    if first.shape != second.shape or len(first.shape) < 2:
        raise InputError(_shapes_differ(first.shape, second.shape))
    frames = list(np.ndindex(*first.shape[:-2]))
    if groups is not None and len(groups) != len(frames):
        raise InputError(f"{len(groups)} groups for {len(frames)} frames: expected one each.")
    rows = []
    for number, index in enumerate(frames):
        scores = object_scores(
            np.asarray(first[index]),
            np.asarray(second[index]),
            iou_threshold=iou_threshold,
            boundary_tolerance_px=boundary_tolerance_px,
        )
        group = {} if groups is None else {"group": groups[number]}
        rows.append({"frame": number, **group, **scores})
    return pd.DataFrame(rows)


def as_labels(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[Labels, Labels]:
    """Return both label images after checking that they can be compared.

    Raises
    ------
    InputError
        Unlike shapes, not (Y, X), or labels that are not whole numbers of at least 0.

    Examples
    --------
    >>> as_labels([[0, 1]], [[2, 0]])[1].tolist()
    [[2, 0]]
    """
    images = np.asarray(predicted), np.asarray(reference)
    if images[0].shape != images[1].shape or images[0].ndim != 2:
        raise InputError(_shapes_differ(images[0].shape, images[1].shape))
    for image, name in zip(images, ("predicted", "reference"), strict=True):
        if image.dtype.kind not in "biu" or (image.size and int(image.min()) < 0):
            raise InputError(
                f"The {name} labels are {image.dtype}: expected whole numbers, 0 for background. "
                "Give a label image, not an intensity or a probability."
            )
    return images[0].astype(np.int64), images[1].astype(np.int64)


def _shapes_differ(predicted: tuple[int, ...], reference: tuple[int, ...]) -> str:
    return (
        f"The predicted labels have shape {predicted} and the reference {reference}: "
        "expected the same, (Y, X) or (…, Y, X)."
    )


def _ratio(part: float, whole: float, *, empty: float = math.nan) -> float:
    return float(part / whole) if whole else empty
