"""Scores of a virtual stain against the true fluorescence, one row per frame.

The columns, with what is best, are in :data:`COLUMNS`; the report prints the same text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..axes import USUAL_PIXEL_SIZE_UM, check_positive
from ..engine import as_image, is_lazy
from ..errors import InputError, check_kind, shown
from ..io import Stack
from ..progress import CancelToken, ProgressCallback, Reporter
from ..staining import flicker
from .comparable import Image, as_pair, is_constant
from .distributions import Range, js_divergence, kl_divergence, reference_range
from .foreground_scores import foreground_scores, jumps_of_means, mask_iou
from .similarity import (
    SSIM_WINDOW,
    bandpass_pearson,
    mean_without_rim,
    nrmse,
    pearson,
    psnr,
    ssim_map,
)
from .spectrum import fourier_ring_correlation, frc_summary

COLUMNS = {
    "pearson": "Pearson's correlation of the pixels; 1 is best. Sees mostly the cell's envelope.",
    "bandpass_pearson": "Pearson's correlation after Gauss(0.08 µm) minus Gauss(0.64 µm), the "
    "former at least 1 px, which leaves the mitochondria themselves; 1 is best.",
    "ssim": "Structural similarity, Gaussian window of 1.5 px, population covariance; 1 is best.",
    "psnr": "Peak signal-to-noise ratio, dB; higher is better.",
    "kl": "KL(reference || predicted) of the intensity histograms, 256 bins, one pixel added to "
    "each bin, nats; 0 is best.",
    "js": "Jensen-Shannon divergence of the same histograms, nats, at most ln 2; 0 is best.",
    "nrmse": "Root mean square error over the reference's standard deviation; 0 is best, 1 is "
    "what the frame's best constant reaches.",
    "nrmse_fitted": "NRMSE after the gain and offset that suit all frames of the group (cell or "
    "movie) best: for models whose grey values are not those of the reference; 0 is best.",
    "mask_iou": "Intersection over union of the two Otsu masks, each by its own threshold; 1 is "
    "best.",
    "foreground_pearson": "Pearson's correlation inside the reference's Otsu mask; 1 is best.",
    "foreground_ssim": "Mean of the SSIM map inside the reference's Otsu mask; 1 is best.",
    "foreground_nrmse": "NRMSE inside the reference's Otsu mask; 0 is best.",
    "frc": "Fourier ring correlation, mean over structures of 0.33 to 2 µm; 1 is best.",
    "frc_size_um": "Size where the Fourier ring correlation first falls below 1/7, µm; smaller "
    "is better, empty where it never was above.",
    "brightness_jump": "Jump of the frame's mean brightness out of its neighbours', over the "
    "movie's mean; 0 is best, the reference's own is beside it.",
    "pixel_flicker": "Deviation of the noise by which pixels jump from frame to frame, over the "
    "contrast of the three frames; 0 is best, the reference's own is beside it.",
}
LOWER_IS_BETTER = frozenset(
    {
        "kl",
        "js",
        "nrmse",
        "nrmse_fitted",
        "foreground_nrmse",
        "frc_size_um",
        "brightness_jump",
        "pixel_flicker",
    }
)


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges that scores depend on, the same for every frame of one evaluation.

    Attributes
    ----------
    data_range : float
        Largest minus smallest possible intensity, of SSIM and PSNR.
    histogram : (float, float)
        Range of the histograms.
    """

    data_range: float
    histogram: Range


def evaluate(
    predicted: Any,
    reference: Any,
    *,
    data_range: float | Range | Ranges | None = None,
    pixel_size_um: float | None = None,
    names: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> pd.DataFrame:
    """Return one row of scores for each frame of a virtual stain.

    Parameters
    ----------
    predicted, reference : array or sequence of arrays
        Equal shapes (…, Y, X), NumPy or lazy; leading axes are flattened to frames. Or
        two equally long lists of (Y, X) images, which may differ in size.
    data_range : float, (float, float) or Ranges, optional
        Largest minus smallest possible intensity, or both. By default (0, 255) for
        8-bit references, else the smallest and largest value of the whole reference.
        The column ``data_range`` states what was used.
    pixel_size_um : float, optional
        Size of a pixel, micrometres. Not given, that of a stack is taken, or else 0.08.
    names, groups : sequence of str, optional
        One for each frame, copied to the columns ``name`` and ``group``. Frames of one
        cell or movie belong to one group; intervals are over groups.
    progress, cancel : optional
        See :mod:`napari_virtualstain.progress`.

    Returns
    -------
    DataFrame
        ``frame``, ``name`` and ``group`` if given, the scores of :data:`COLUMNS`,
        ``foreground_fraction``, ``brightness_jump_reference``, ``pixel_flicker_reference`` (all
        these only for the frames of one movie), ``data_range``, and
        ``predicted_constant``, ``reference_constant``: correlations with a constant
        do not exist and are NaN, not 0.

    Raises
    ------
    InputError
        Unlike shapes, no frames, images smaller than 11 x 11, NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).integers(0, 255, (2, 32, 32), dtype=np.uint8)
    >>> evaluate(truth, truth)[["frame", "pearson", "ssim", "psnr"]].round(6)
       frame  pearson  ssim  psnr
    0      0      1.0   1.0   inf
    1      1      1.0   1.0   inf
    """
    pixel_size_um = check_positive(pixel_size_um, "pixel size", "µm")
    if pixel_size_um is None:
        stacks = [image for image in (predicted, reference) if isinstance(image, Stack)]
        known = [stack.pixel_size_um for stack in stacks if stack.pixel_size_um is not None]
        pixel_size_um = known[0] if known else USUAL_PIXEL_SIZE_UM
    pairs = _Pairs(predicted, reference)
    ranges = find_ranges(reference, data_range)
    labels = {"name": _written(names, "names"), "group": _written(groups, "groups")}
    for column, values in labels.items():
        if values is not None and len(values) != len(pairs):
            raise InputError(
                f"{len(values)} {column}s were given for {len(pairs)} frames: expected one each."
            )
    reporter = Reporter(len(pairs), "frame", "evaluating", progress, cancel)
    rows, means, moments = [], [], []
    one_movie = pairs.is_movie and len(set(groups or ["one"])) == 1
    jumping = _PixelFlicker(len(pairs) if one_movie else 0)
    for index, (first, second) in enumerate(pairs):
        reporter.check()
        given = {column: values[index] for column, values in labels.items() if values is not None}
        rows.append({"frame": index, **given, **_scores(first, second, ranges, pixel_size_um)})
        means.append((first.mean(), second.mean()))
        moments.append(_moments(first, second))
        jumping.look(index, first, second)
        reporter.advance()
    table = _with_brightness_jumps(pd.DataFrame(rows), np.asarray(means), one_movie)
    table["nrmse_fitted"] = _fitted_nrmse(np.asarray(moments), groups or ["one"] * len(pairs))
    return table.assign(**jumping.columns(len(pairs)))


def find_ranges(reference: Any, data_range: float | Range | Ranges | None = None) -> Ranges:
    """Return the ranges that :func:`evaluate` uses for this reference.

    Parameters
    ----------
    reference : array or sequence of arrays
    data_range : float or (float, float), optional
        See :func:`evaluate`. With one number, the histograms span the reference's 0.1
        to 99.9 percentiles, or (0, 255) for an 8-bit reference.

    Raises
    ------
    InputError
        The range is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> find_ranges(np.zeros((4, 4), np.uint8))
    Ranges(data_range=255.0, histogram=(0.0, 255.0))
    """
    if isinstance(data_range, Ranges):
        return data_range
    if isinstance(data_range, tuple | list):
        if len(data_range) != 2:
            raise _no_range(data_range)
        low, high = map(_number, data_range)
        return Ranges(_positive_range(high - low), (low, high))
    frames = list(frames_of(reference))
    eight_bit = all(np.asarray(frame[:1]).dtype == np.uint8 for frame in frames)
    if eight_bit:
        span = 255.0 if data_range is None else _number(data_range)
        return Ranges(_positive_range(span), (0.0, 255.0))
    histogram = reference_range(_sample(frames))
    if data_range is not None:
        return Ranges(_positive_range(_number(data_range)), histogram)
    extremes = [(float(image.min()), float(image.max())) for image in map(np.asarray, frames)]
    span = max(high for _, high in extremes) - min(low for low, _ in extremes)
    # a constant reference has no range; 1 keeps PSNR and SSIM defined
    return Ranges(span if span > 0 else 1.0, histogram)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise _no_range(value) from error


def _no_range(given: object) -> InputError:
    return InputError(
        f"data_range is {shown(repr(given))}: expected a number, or the lowest and highest "
        "intensity."
    )


def _positive_range(span: float) -> float:
    return check_positive(span, "data range", "intensity units") or 1.0


def _sample(frames: Sequence[Any], pixels: int = 2_000_000) -> Image:
    """Return pixels of all frames, thinned evenly so that they fit in memory."""
    step = max(1, sum(int(np.prod(frame.shape)) for frame in frames) // pixels)
    return np.concatenate([np.asarray(frame).ravel()[::step] for frame in frames]).astype(float)


def frames_of(images: Any) -> Iterator[Any]:
    """Yield the (Y, X) frames of an array, a stack or a list; lazy ones stay lazy.

    Raises
    ------
    InputError
        Fewer than two dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> [frame.shape for frame in frames_of(np.zeros((2, 3, 4, 5)))][:2]
    [(4, 5), (4, 5)]
    """
    if isinstance(images, list | tuple) and all(_is_image(image) for image in images):
        for image in images:
            yield from frames_of(image)
        return
    array = as_image(images)
    for index in np.ndindex(*array.shape[:-2]):
        yield array[index]


def _is_image(item: Any) -> bool:
    try:
        return np.ndim(item) >= 2
    except ValueError:  # ragged
        return False


class _Pairs:
    """Frames of two image series side by side, read one pair at a time."""

    def __init__(self, predicted: Any, reference: Any) -> None:
        self.predicted, self.reference = list(frames_of(predicted)), list(frames_of(reference))
        shapes = [[tuple(map(int, frame.shape)) for frame in side] for side in self.sides]
        if shapes[0] != shapes[1] or not shapes[0]:
            raise InputError(
                f"The predicted images have {_shape_text(shapes[0])} and the reference "
                f"{_shape_text(shapes[1])}: expected the same. Crop, or select the frames and "
                "the channel that both have."
            )
        small = [shape for shape in shapes[0] if min(shape) < SSIM_WINDOW]
        if small:
            raise InputError(
                f"The images have frames of {small[0]} pixels: expected at least {SSIM_WINDOW} x "
                f"{SSIM_WINDOW}, the window of SSIM. Colour images: give one channel."
            )
        self.is_movie = not isinstance(reference, list | tuple)

    @property
    def sides(self) -> tuple[list[Any], list[Any]]:
        return self.predicted, self.reference

    def __len__(self) -> int:
        return len(self.predicted)

    def __iter__(self) -> Iterator[tuple[Image, Image]]:
        for index, (first, second) in enumerate(zip(*self.sides, strict=True)):
            try:
                yield as_pair(_computed(first), _computed(second))
            except InputError as error:
                raise InputError(f"Frame {index}: {error}") from error


def _computed(frame: Any) -> Any:
    return frame.compute(scheduler="synchronous") if is_lazy(frame) else frame


def _shape_text(shapes: list[tuple[int, ...]]) -> str:
    if not shapes:
        return "no frames"
    size = " x ".join(map(str, shapes[0])) if len(set(shapes)) == 1 else "various"
    return f"{len(shapes)} frame{'s' * (len(shapes) != 1)} of {size} pixels"


def _scores(
    predicted: Image, reference: Image, ranges: Ranges, pixel_size_um: float
) -> dict[str, Any]:
    span, bins = ranges.data_range, ranges.histogram
    similarity = ssim_map(predicted, reference, data_range=span)
    curve = fourier_ring_correlation(predicted, reference, pixel_size_um=pixel_size_um)
    return {
        "pearson": pearson(predicted, reference),
        "bandpass_pearson": bandpass_pearson(predicted, reference, pixel_size_um=pixel_size_um),
        "ssim": mean_without_rim(similarity),
        "psnr": psnr(predicted, reference, data_range=span),
        "kl": kl_divergence(predicted, reference, value_range=bins),
        "js": js_divergence(predicted, reference, value_range=bins),
        "nrmse": nrmse(predicted, reference),
        "mask_iou": mask_iou(predicted, reference),
        **foreground_scores(predicted, reference, data_range=span, similarity=similarity),
        **frc_summary(curve),
        "data_range": span,
        "predicted_constant": is_constant(predicted),
        "reference_constant": is_constant(reference),
    }


class _PixelFlicker:
    """The flicker of pixels around each frame, from three frames at a time."""

    def __init__(self, frames: int) -> None:
        self._found = np.full((2, frames), np.nan)
        self._last: deque[tuple[Image, Image]] = deque(maxlen=3)

    def look(self, index: int, predicted: Image, reference: Image) -> None:
        """Take the next frames."""
        self._last.append((predicted, reference))
        if index < 2 or index >= self._found.shape[1]:
            return
        for side, three in enumerate(zip(*self._last, strict=True)):
            if len({frame.shape for frame in three}) == 1:
                self._found[side, index - 1] = flicker(np.stack(three))

    def columns(self, frames: int) -> dict[str, Image]:
        """Return both columns of the table, NaN where frames do not follow each other."""
        found = self._found if self._found.shape[1] else np.full((2, frames), np.nan)
        return {"pixel_flicker": found[0], "pixel_flicker_reference": found[1]}


def _moments(predicted: Image, reference: Image) -> tuple[float, ...]:
    """Return number, means, variances and covariance of a frame's pixels."""
    x, y = predicted - predicted.mean(), reference - reference.mean()
    spread = 0.0 if is_constant(reference) else float((y * y).mean())
    return (
        predicted.size,
        float(predicted.mean()),
        float(reference.mean()),
        float((x * x).mean()),
        spread,
        float((x * y).mean()),
    )


def _fitted_nrmse(moments: Image, groups: Sequence[str]) -> Image:
    """Return each frame's NRMSE after the least-squares gain and offset of its group.

    `moments` has shape (frames, 6): number of pixels, the two means, the two variances and the
    covariance of stain and truth.
    """
    found = np.full(len(moments), np.nan)
    keys = np.asarray(groups, dtype=object)
    for key in dict.fromkeys(groups):
        members = np.flatnonzero(keys == key)
        count, x, y, xx, yy, xy = moments[members].T
        share = count / count.sum()
        middle_x, middle_y = share @ x, share @ y
        spread = share @ (xx + (x - middle_x) ** 2)
        gain = share @ (xy + (x - middle_x) * (y - middle_y)) / spread if spread > 0 else 0.0
        shift = gain * (x - middle_x) - (y - middle_y)
        errors = np.maximum(gain**2 * xx - 2 * gain * xy + yy + shift**2, 0)
        found[members] = np.sqrt(errors / np.where(yy > 0, yy, np.nan))
    return found


def _with_brightness_jumps(table: pd.DataFrame, means: Image, is_movie: bool) -> pd.DataFrame:
    """Return the table with jumps of brightness, NaN where frames do not follow each other."""
    for column, side in (("brightness_jump", 0), ("brightness_jump_reference", 1)):
        table[column] = jumps_of_means(means[:, side]) if is_movie else np.nan
    return table


def _written(names: Sequence[str] | None, argument: str) -> list[str] | None:
    """Return names that a table can hold: those of files need not be unicode."""
    if names is None:
        return None
    check_kind(names, Iterable, argument, "one text for each frame")
    return [str(name).encode(errors="backslashreplace").decode() for name in names]
