"""Measures of each mitochondrion in physical units, and summaries of frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..axes import check_positive
from ..errors import InputError
from ..progress import CancelToken, ProgressCallback, Reporter
from .shape import measure_outline, measure_skeleton

Labels = NDArray[np.integer[Any]]
Image = NDArray[np.floating[Any]]

SHAPE_COLUMNS = (
    "frame",
    "label",
    "y_um",
    "x_um",
    "y_px",
    "x_px",
    "area_um2",
    "perimeter_um",
    "major_axis_um",
    "minor_axis_um",
    "aspect_ratio",
    "eccentricity",
    "solidity",
    "extent",
    "form_factor",
    "feret_max_um",
    "skeleton_length_um",
    "branches",
    "junctions",
    "ends",
    "branch_index",
    "width_um",
    "tortuosity",
    "is_network",
    "shape_class",
    "touches_border",
)
INTENSITY_COLUMNS = (
    "mean_intensity",
    "max_intensity",
    "integrated_intensity",
    "weighted_y_um",
    "weighted_x_um",
)


def measure(
    labels: ArrayLike,
    intensity: ArrayLike | None = None,
    *,
    pixel_size_um: float = 1.0,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> pd.DataFrame:
    """Return the measures of every label of every frame, one row each.

    Parameters
    ----------
    labels : array_like of int, shape (Y, X) or (T, Y, X)
        0 is background.
    intensity : array_like, shape of `labels`, optional
        Fluorescence; adds the columns :data:`INTENSITY_COLUMNS`.
    pixel_size_um : float
        Micrometres; with 1 all lengths are in pixels.
    progress, cancel : callable, CancelToken, optional
        Reported to and looked at once a frame.

    Returns
    -------
    DataFrame
        Columns :data:`SHAPE_COLUMNS`, sorted by frame and label. See Notes.

    Raises
    ------
    InputError
        Wrong number of axes, labels that are not integers or are negative, an intensity
        of another shape, or an impossible pixel size.

    Notes
    -----
    ``perimeter_um`` is Crofton's. ``form_factor`` is P²/(4πA), 1 for a disc and more
    for anything else. ``branch_index`` is junctions over ends. ``tortuosity`` is path
    over end-to-end distance, NaN for anything but an open line. ``width_um`` is twice
    the median distance from skeleton to outline. ``shape_class`` is ``network`` with
    a junction, ``dot`` below twice its own width in length, else ``rod``. Intensities
    are above the background, the median of all unlabelled pixels of the frame.
    ``touches_border`` tells objects that the image border may have cut.

    Examples
    --------
    >>> import numpy as np
    >>> rod = np.zeros((20, 40), int)
    >>> rod[8:13, 5:35] = 1
    >>> table = measure(rod, pixel_size_um=0.1)
    >>> str(table.loc[0, "shape_class"]), int(table.loc[0, "ends"])
    ('rod', 2)
    >>> float(table.loc[0, "area_um2"].round(6)), float(table.loc[0, "width_um"].round(6))
    (1.5, 0.5)
    """
    size_um = check_positive(pixel_size_um, "pixel size", "µm") or 1.0
    frames, images = _frames(labels, intensity)
    reporter = Reporter(len(frames), "frame", "measuring", progress, cancel)
    rows: list[dict[str, Any]] = []
    for index, plane in enumerate(frames):
        reporter.check()
        image = None if images is None else images[index]
        rows += _measure_frame(np.asarray(plane), image, index, size_um)
        reporter.advance()
    columns = [*SHAPE_COLUMNS, *(INTENSITY_COLUMNS if intensity is not None else ())]
    return pd.DataFrame(rows, columns=columns)


def _frames(labels: ArrayLike, intensity: ArrayLike | None) -> tuple[Any, Any]:
    array: Any = labels if hasattr(labels, "ndim") else np.asarray(labels)
    if array.ndim not in (2, 3):
        raise InputError(
            f"The labels have shape {array.shape}: expected (Y, X) or (T, Y, X). "
            "Measure one channel and one plane at a time."
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"The labels are of type {array.dtype}: expected integers.")
    if intensity is None:
        return (array[None] if array.ndim == 2 else array), None
    image: Any = intensity if hasattr(intensity, "ndim") else np.asarray(intensity)
    if image.shape != array.shape:
        raise InputError(
            f"The intensity has shape {image.shape}, the labels {array.shape}: give the image "
            "that the labels were made from."
        )
    return (array[None], image[None]) if array.ndim == 2 else (array, image)


def _measure_frame(
    labels: Labels, image: Image | None, frame: int, size_um: float
) -> list[dict[str, Any]]:
    if labels.size and labels.min() < 0:
        raise InputError(f"Frame {frame} has negative labels: expected 0 for background and up.")
    names, numbers = _numbered(labels)
    if image is not None:
        image = _above_background(np.asarray(image), labels)
    rows = []
    for number, box in enumerate(ndimage.find_objects(numbers), start=1):
        if box is None:
            continue
        mask = numbers[box] == number
        row = {"frame": frame, "label": int(names[number - 1])}
        row |= _measure_shape(mask, box, labels.shape, size_um)
        if image is not None:
            row |= _measure_intensity(mask, image[box], box, size_um)
        rows.append(row)
    return rows


def _numbered(labels: Labels) -> tuple[Labels, Labels]:
    """Return the values of the labels 1, 2, ... and an image of these.

    Labels are their own numbers unless they are huge: a box is kept for each number.
    """
    largest = int(labels.max(initial=0))
    if largest <= labels.size:
        return np.arange(1, largest + 1), labels
    names, inverse = np.unique(labels, return_inverse=True)
    return names[names > 0], inverse.reshape(labels.shape) + int(names[0] > 0)


def _above_background(image: NDArray[Any], labels: Labels) -> Image:
    values = image.astype(np.float64)
    background = values[(labels == 0) & np.isfinite(values)]
    return values - (np.median(background) if background.size else 0.0)


def _measure_shape(
    mask: NDArray[np.bool_], box: tuple[slice, ...], shape: tuple[int, ...], size_um: float
) -> dict[str, Any]:
    outline, skeleton = measure_outline(mask), measure_skeleton(mask)
    y, x = _centroid(mask.astype(float), box)
    ratio = outline.minor_axis / outline.major_axis
    return {
        "y_um": y * size_um,
        "x_um": x * size_um,
        "y_px": y,
        "x_px": x,
        "area_um2": outline.area * size_um**2,
        "perimeter_um": outline.perimeter * size_um,
        "major_axis_um": outline.major_axis * size_um,
        "minor_axis_um": outline.minor_axis * size_um,
        "aspect_ratio": 1.0 / ratio,
        "eccentricity": float(np.sqrt(max(0.0, 1.0 - ratio**2))),
        "solidity": min(1.0, outline.area / outline.hull_area),
        "extent": outline.area / mask.size,
        "form_factor": max(1.0, outline.perimeter**2 / (4 * np.pi * outline.area)),
        "feret_max_um": outline.feret_max * size_um,
        "skeleton_length_um": skeleton.length * size_um,
        "branches": skeleton.branches,
        "junctions": skeleton.junctions,
        "ends": skeleton.ends,
        "branch_index": skeleton.junctions / skeleton.ends if skeleton.ends else 0.0,
        "width_um": skeleton.width * size_um,
        "tortuosity": skeleton.tortuosity,
        "is_network": skeleton.junctions > 0,
        "shape_class": skeleton.shape_class,
        "touches_border": _touches_border(box, shape),
    }


def _touches_border(box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    return any(
        side.start == 0 or side.stop == length for side, length in zip(box, shape, strict=True)
    )


def _centroid(weights: Image, box: tuple[slice, ...]) -> tuple[float, float]:
    total = weights.sum()
    y = float(weights.sum(axis=1) @ np.arange(weights.shape[0]) / total)
    x = float(weights.sum(axis=0) @ np.arange(weights.shape[1]) / total)
    return y + box[0].start, x + box[1].start


def _measure_intensity(
    mask: NDArray[np.bool_], image: Image, box: tuple[slice, ...], size_um: float
) -> dict[str, Any]:
    inside = image[mask]
    weights = np.where(mask, np.maximum(image, 0.0), 0.0)
    usable = np.isfinite(weights.sum()) and weights.sum() > 0
    y, x = _centroid(weights if usable else mask.astype(float), box)
    return {
        "mean_intensity": float(inside.mean()),
        "max_intensity": float(inside.max()),
        "integrated_intensity": float(inside.sum()),
        "weighted_y_um": y * size_um,
        "weighted_x_um": x * size_um,
    }


def summarise_frames(table: pd.DataFrame, *, frames: int | None = None) -> pd.DataFrame:
    """Return one row per frame that sums up the measures of its mitochondria.

    Parameters
    ----------
    table : DataFrame
        From :func:`measure`.
    frames : int, optional
        Number of frames of the movie, so that those without any object get a row too.

    Returns
    -------
    DataFrame
        ``frame``, ``count``, ``footprint_um2`` (summed area), ``dots``, ``rods``,
        ``networks``, ``mean_area_um2``, ``mean_length_um`` and ``total_length_um`` (of
        skeletons), ``mean_branch_length_um``, ``mean_network_branches``,
        ``mean_width_um``, ``mean_aspect_ratio``, ``mean_form_factor``. Means over no
        object are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((2, 20, 40), int)
    >>> labels[0, 8:13, 5:35] = 1
    >>> summarise_frames(measure(labels), frames=2)["count"].tolist()
    [1, 0]
    """
    present = int(table["frame"].max()) + 1 if len(table) else 0
    number = present if frames is None else max(frames, present)
    groups = dict(list(table.groupby("frame")))
    empty = table.iloc[:0]
    return pd.DataFrame(
        [_row_of_frame(index, groups.get(index, empty)) for index in range(number)],
        columns=list(_row_of_frame(0, empty)),
    )


def _row_of_frame(frame: int, rows: pd.DataFrame) -> dict[str, float]:
    """Return counts, sums and means over the objects of one frame."""
    classes = rows["shape_class"]
    length, branches = float(rows["skeleton_length_um"].sum()), int(rows["branches"].sum())
    nothing = float("nan")

    def mean(column: str, of: pd.DataFrame = rows) -> float:
        return float(of[column].mean()) if len(of) else nothing

    return {
        "frame": frame,
        "count": len(rows),
        "footprint_um2": float(rows["area_um2"].sum()),
        "dots": int((classes == "dot").sum()),
        "rods": int((classes == "rod").sum()),
        "networks": int((classes == "network").sum()),
        "mean_area_um2": mean("area_um2"),
        "mean_length_um": mean("skeleton_length_um"),
        "total_length_um": length,
        "mean_branch_length_um": length / branches if branches else nothing,
        "mean_network_branches": mean("branches", rows[rows["is_network"].astype(bool)]),
        "mean_width_um": mean("width_um"),
        "mean_aspect_ratio": mean("aspect_ratio"),
        "mean_form_factor": mean("form_factor"),
    }
