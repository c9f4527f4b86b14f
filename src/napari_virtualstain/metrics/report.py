"""The report on a virtual stain: a table for the computer and a page for a person."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._version import __version__
from ..io import check_output, write_table, write_text_atomically
from ..normalisation import spread_evenly
from ..progress import CancelToken, ProgressCallback
from .baselines import BASELINES, baselines
from .distributions import histogram, intensity_confusion
from .evaluation import Ranges, evaluate, find_ranges, frames_of
from .intervals import summarise
from .report_figures import (
    Example,
    distributions_figure,
    example_figure,
    png,
    scores_figure,
    spectrum_figure,
    time_figure,
)
from .report_page import Picture, is_better, number, render_page, scores_table
from .spectrum import fourier_ring_correlation

HEADLINE = ["pearson", "bandpass_pearson", "ssim", "psnr", "mask_iou"]
# frames that enter the pictures and the baselines; all of them enter the table
SAMPLE = 48
# The best constant has an NRMSE of 1; a poor stain in the right units stays near it
_OTHER_UNITS = 3.0


@dataclass(frozen=True, slots=True)
class Report:
    """Files and tables written by :func:`write_report`.

    Attributes
    ----------
    page, table_path, summary_path : Path
        ``report.html``, ``metrics.csv``, ``summary.csv``.
    table : DataFrame
        One row per frame, see :func:`evaluate`.
    summary : DataFrame
        One row per score, see :func:`summarise`, with the mean of each baseline.
    """

    page: Path
    table_path: Path
    summary_path: Path
    table: pd.DataFrame
    summary: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _Sample:
    """Frames spread evenly over the whole, read into memory."""

    index: list[int]
    predicted: list[Any]
    reference: list[Any]
    bright_field: list[Any] | None


@dataclass(frozen=True, slots=True)
class _Scored:
    """All figures of a report."""

    table: pd.DataFrame
    summary: pd.DataFrame
    trivial: dict[str, pd.Series]
    sample: _Sample
    ranges: Ranges


def scores_and_baselines(
    predicted: Any,
    reference: Any,
    *,
    bright_field: Any = None,
    data_range: float | tuple[float, float] | None = None,
    pixel_size_um: float = 0.08,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the figures of :func:`write_report` without writing anything.

    Parameters
    ----------
    predicted, reference, bright_field, data_range, pixel_size_um, progress, cancel
        As in :func:`write_report`.

    Returns
    -------
    table, summary : DataFrame
        As in :class:`Report`.

    Raises
    ------
    InputError
        See :func:`evaluate`.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((2, 32, 32))
    >>> table, summary = scores_and_baselines(truth, truth)
    >>> len(table), float(summary.loc["ssim", "mean"].round(3))
    (2, 1.0)
    """
    scored = _scored(
        predicted,
        reference,
        bright_field,
        data_range=data_range,
        pixel_size_um=pixel_size_um,
        progress=progress,
        cancel=cancel,
    )
    return scored.table, scored.summary


def write_report(
    directory: str | Path,
    predicted: Any,
    reference: Any,
    *,
    bright_field: Any = None,
    data_range: float | tuple[float, float] | None = None,
    pixel_size_um: float = 0.08,
    names: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    title: str = "Virtual stain against true fluorescence",
    warnings: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Report:
    """Score a virtual stain and write ``report.html``, ``metrics.csv`` and ``summary.csv``.

    Parameters
    ----------
    directory : str or Path
        Folder to write to; made if need be.
    predicted, reference, bright_field
        As in :func:`evaluate` and :func:`baselines`; bright-field is optional.
    data_range, pixel_size_um, names, groups
        As in :func:`evaluate`.
    title : str
        Headline of the page.
    warnings : sequence of str
        What a reader has to know first, for instance that a test cell also trained.
    settings : mapping, optional
        Printed at the end: model, command, files.
    overwrite : bool
        Whether existing files may be replaced.
    progress, cancel : optional
        See :mod:`napari_virtualstain.progress`.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        See :func:`evaluate`.
    OutputExistsError, OutputError
        The files are there and `overwrite` is False, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> truth = np.random.default_rng(0).random((2, 32, 32))
    >>> report = write_report(tempfile.mkdtemp(), truth, truth)
    >>> report.page.name, float(report.summary.loc["ssim", "mean"].round(3))
    ('report.html', 1.0)
    """
    folder = Path(directory)
    files = [folder / name for name in ("report.html", "metrics.csv", "summary.csv")]
    for file in files:
        check_output(file, overwrite=overwrite)
    scored = _scored(
        predicted,
        reference,
        bright_field,
        data_range=data_range,
        pixel_size_um=pixel_size_um,
        names=names,
        groups=groups,
        progress=progress,
        cancel=cancel,
    )
    table, summary, trivial = scored.table, scored.summary, scored.trivial
    sample, ranges = scored.sample, scored.ranges
    # before the page: numbers are not lost to a picture that cannot be drawn
    write_table(files[1], table, overwrite=overwrite)
    write_table(files[2], summary.rename_axis("score").reset_index(), overwrite=overwrite)
    everything = {
        "virtualstain": __version__,
        "python": platform.python_version(),
        "frames": len(table),
        "pixel_size_um": pixel_size_um,
        "data_range": ranges.data_range,
        "histogram_range": ranges.histogram,
        "frames_in_pictures_and_baselines": sample.index,
        **(settings or {}),
    }
    page = render_page(
        title=title,
        warnings=[*warnings, *_own_warnings(table, summary)],
        verdict=_verdict(table, summary, trivial),
        table=scores_table(summary, trivial),
        sections=_pictures(table, sample, ranges, pixel_size_um),
        baselines={name: text for name, text in BASELINES.items() if name in trivial},
        settings=everything,
    )
    write_text_atomically(files[0], page, overwrite=overwrite)
    return Report(files[0], files[1], files[2], table, summary)


def _scored(
    predicted: Any,
    reference: Any,
    bright_field: Any,
    *,
    data_range: float | tuple[float, float] | None,
    pixel_size_um: float,
    **options: Any,
) -> _Scored:
    table = evaluate(
        predicted, reference, data_range=data_range, pixel_size_um=pixel_size_um, **options
    )
    ranges = find_ranges(reference, data_range)
    sample = _take_sample(predicted, reference, bright_field, len(table))
    trivial = _baseline_means(sample, ranges, pixel_size_um)
    summary = summarise(table)
    for name, means in trivial.items():
        summary[name] = means.reindex(summary.index)
    return _Scored(table, summary, trivial, sample, ranges)


def _take_sample(predicted: Any, reference: Any, bright_field: Any, count: int) -> _Sample:
    index = spread_evenly(SAMPLE, count)

    def read(images: Any) -> list[Any]:
        frames = list(frames_of(images))
        return [np.asarray(frames[i]).astype(np.float64) for i in index]

    light = None if bright_field is None else read(bright_field)
    return _Sample(index, read(predicted), read(reference), light)


def _baseline_means(sample: _Sample, ranges: Ranges, pixel_size_um: float) -> dict[str, pd.Series]:
    """Return the mean scores of each trivial baseline on the sampled frames."""
    trivial = baselines(sample.reference, sample.bright_field, pixel_size_um=pixel_size_um)
    means = {}
    for name, images in trivial.items():
        table = evaluate(images, sample.reference, data_range=ranges, pixel_size_um=pixel_size_um)
        means[name] = summarise(table)["mean"]
    return means


def _own_warnings(table: pd.DataFrame, summary: pd.DataFrame) -> list[str]:
    texts = []
    constant = int((table["predicted_constant"] | table["reference_constant"]).sum())
    if constant:
        texts.append(
            f"{constant} of {len(table)} frames are constant in the virtual or the true image: "
            "their correlations do not exist and are left out of the means."
        )
    error = float(table["nrmse"].median())
    if error > _OTHER_UNITS:
        texts.append(
            f"The typical error is {error:.3g} times the spread of the true image: the two are "
            "probably in different units, or another gain. SSIM, PSNR, KL and NRMSE compare grey "
            "values and say little then; correlations and overlaps do not depend on them."
        )
    groups = int(summary["groups"].max())
    if "group" not in table and len(table) > 1:
        texts.append(
            "No groups were given: the intervals take frames as independent. Frames of one cell "
            "are alike, so the true uncertainty is larger."
        )
    elif groups < 2:
        texts.append(
            "All frames are of one cell or movie: no interval can be given, and other cells may "
            "score differently."
        )
    return texts


def _verdict(
    table: pd.DataFrame, summary: pd.DataFrame, trivial: Mapping[str, pd.Series]
) -> list[str]:
    """Return in two sentences how good it is, against what costs nothing."""
    count = len(table)
    mean = {name: float(summary["mean"][name]) for name in HEADLINE}
    parts = [f"{name} {number(mean[name])}" for name in HEADLINE if not math.isnan(mean[name])]
    first = f"Mean over {count} frame{'s' * (count != 1)}: {', '.join(parts)}."
    lost = [
        f"{name} ({base} {number(means[name])})"
        for base, means in trivial.items()
        for name in HEADLINE
        if name in means and is_better(name, means[name], mean[name])
    ]
    if lost:
        return [first, f"A trivial baseline does better in: {', '.join(lost)}."]
    return [first, "It beats every trivial baseline in each of these scores."]


def _pictures(
    table: pd.DataFrame, sample: _Sample, ranges: Ranges, pixel_size_um: float
) -> dict[str, list[Picture]]:
    """Return the pictures of the report by their heading."""
    shown = f"{len(sample.index)} of {len(table)} frames, evenly spread"
    scores = [
        Picture(
            "A dot per frame, a row per group, orange the median.",
            png(scores_figure(table, HEADLINE)),
        )
    ]
    if table["brightness_jump"].notna().any():
        figure = time_figure(table, HEADLINE[:3])
        scores.append(Picture("Scores and jumps of brightness frame by frame.", png(figure)))
    pairs = list(zip(sample.predicted, sample.reference, strict=True))
    counts = [
        np.sum([histogram(pair[side], value_range=ranges.histogram, bins=128) for pair in pairs], 0)
        for side in (0, 1)
    ]
    flat = [np.concatenate([image.ravel() for image in side]) for side in zip(*pairs, strict=True)]
    confusion = intensity_confusion(*flat, value_range=ranges.histogram, per_row=True)
    figure = distributions_figure((counts[0], counts[1]), confusion, ranges.histogram)
    curves = [fourier_ring_correlation(*pair, pixel_size_um=pixel_size_um) for pair in pairs]
    spectrum = Picture(
        f"Median and middle half of {shown}. Beyond the crossing with 1/7, detail is not true.",
        png(spectrum_figure(curves)),
    )
    return {
        "Scores": scores,
        "Intensities": [Picture(f"From {shown}.", png(figure)), spectrum],
        "Examples": [
            Picture(example.title, png(example_figure(example)))
            for example in _examples(table, sample)
        ],
    }


def _examples(table: pd.DataFrame, sample: _Sample) -> list[Example]:
    """Return the three worst, the middle and the best of the sampled frames."""
    scores = table.loc[sample.index, "bandpass_pearson"].fillna(-math.inf).to_numpy()
    order = np.argsort(scores, kind="stable")
    chosen = {**dict.fromkeys(order[:3].tolist(), "Among the worst")}
    chosen.setdefault(int(order[len(order) // 2]), "The middle")
    chosen.setdefault(int(order[-1]), "The best")
    return [
        Example(
            _example_title(kind, table.loc[sample.index[place]]),
            sample.predicted[place],
            sample.reference[place],
            None if sample.bright_field is None else sample.bright_field[place],
        )
        for place, kind in chosen.items()
    ]


def _example_title(kind: str, row: pd.Series) -> str:
    name = f" ({row['name']})" if "name" in row else ""
    scores = ", ".join(f"{column} {number(row[column])}" for column in HEADLINE)
    return f"{kind}: frame {row['frame']}{name}, {scores}."
