"""The pictures of the report, each a PNG in memory. Colours are safe for the colour-blind."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from .comparable import Image
from .spectrum import CRITERION

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"


@dataclass(frozen=True, slots=True)
class Example:
    """One frame that the report shows.

    Attributes
    ----------
    title : str
        Why it is shown, and its scores.
    predicted, reference : ndarray, shape (Y, X)
    bright_field : ndarray, shape (Y, X), or None
    """

    title: str
    predicted: Image
    reference: Image
    bright_field: Image | None = None


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, the same bytes for the same figure.

    Examples
    --------
    >>> png(Figure())[1:4]
    b'PNG'
    """
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def scores_figure(table: pd.DataFrame, columns: Sequence[str]) -> Figure:
    """Return the distribution of scores, a panel per score, a dot per frame, a row per group.

    Examples
    --------
    >>> len(scores_figure(pd.DataFrame({"pearson": [0.1, 0.2]}), ["pearson"]).axes)
    1
    """
    groups = table["group"].astype(str) if "group" in table else pd.Series("all", table.index)
    names = list(dict.fromkeys(groups))[:24]
    figure = Figure(figsize=(2.6 * len(columns), 1.2 + 0.28 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    shake = np.random.default_rng(0).uniform(-0.28, 0.28, len(table))
    for panel, column in zip(panels, columns, strict=True):
        for row, name in enumerate(names):
            member = (groups == name).to_numpy()
            values = table[column].to_numpy(dtype=float)[member]
            panel.plot(values, row + shake[member], ".", color=BLUE, alpha=0.35, markersize=5)
            if np.isfinite(values).any():
                panel.plot(np.nanmedian(values), row, "|", color=ORANGE, markersize=14, mew=2.5)
        panel.set_title(column, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.locator_params(axis="x", nbins=4)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(names)), [_shown(name) for name in names], parse_math=False)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def _shown(name: str) -> str:
    """Return a name as it can be drawn: printable, and not longer than the panel."""
    text = name.encode(errors="backslashreplace").decode()
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


_LONGEST_NAME = 60


def distributions_figure(
    counts: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    confusion: npt.NDArray[np.float64],
    value_range: tuple[float, float],
) -> Figure:
    """Return the histograms of (predicted, reference) and the intensity confusion matrix.

    Examples
    --------
    >>> one = np.ones(4, int)
    >>> len(distributions_figure((one, one), np.eye(4) / 4, (0, 1)).axes) >= 2
    True
    """
    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    edges = np.linspace(*value_range, len(counts[0]) + 1)
    left.stairs(counts[1], edges, color=GREY, fill=True, alpha=0.45, label="true")
    left.stairs(counts[0], edges, color=BLUE, linewidth=1.4, label="virtual")
    left.set(yscale="log", xlabel="intensity", ylabel="pixels", title="Intensity histograms")
    left.set_xlim(*value_range)
    left.legend(frameon=False)
    share = np.ma.masked_less_equal(confusion, 0.0)
    picture = right.imshow(
        share,
        origin="lower",
        extent=(*value_range, *value_range),
        cmap="cividis",
        norm=LogNorm(max(float(share.min()), 1e-6), float(share.max())),
    )
    right.plot(value_range, value_range, color="white", linewidth=0.8, linestyle="--")
    right.set(xlabel="virtual intensity", ylabel="true intensity", title="Intensity confusion")
    figure.colorbar(picture, ax=right, label="share of the row's pixels")
    return figure


def spectrum_figure(curves: Sequence[pd.DataFrame]) -> Figure:
    """Return the Fourier ring correlation: median over frames, and the middle half of them.

    Examples
    --------
    >>> from .spectrum import fourier_ring_correlation
    >>> image = np.random.default_rng(0).random((16, 16))
    >>> len(spectrum_figure([fourier_ring_correlation(image, image)]).axes)
    1
    """
    figure = Figure(figsize=(6.2, 3.4), layout="constrained")
    panel = figure.subplots()
    frequency = curves[0]["frequency_per_um"].to_numpy()
    # images of various sizes have various rings
    values = np.stack(
        [np.interp(frequency, curve["frequency_per_um"], curve["correlation"]) for curve in curves]
    )
    # a constant image has no spectrum
    values = values[~np.isnan(values).any(axis=1)]
    if not len(values):
        values = np.zeros((1, len(frequency)))
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    panel.fill_between(frequency, low, high, color=BLUE, alpha=0.2, linewidth=0)
    panel.plot(frequency, middle, color=BLUE)
    panel.axhline(CRITERION, color=ORANGE, linestyle="--", linewidth=1)
    panel.annotate("1/7", (frequency[-1], CRITERION), color=ORANGE, va="bottom", ha="right")
    panel.set(
        xlabel="spatial frequency, 1/µm",
        ylabel="correlation",
        title="Fourier ring correlation",
        ylim=(min(-0.1, float(low.min())), 1.02),
    )
    panel.grid(alpha=0.3)
    return figure


def time_figure(table: pd.DataFrame, columns: Sequence[str]) -> Figure:
    """Return scores frame by frame, a row per score, and the jumps of brightness of both movies.

    Examples
    --------
    >>> frames = pd.DataFrame({"frame": [0, 1], "pearson": [0.1, 0.2],
    ...                        "brightness_jump": [0.0, 0.0], "brightness_jump_reference": 0.0})
    >>> len(time_figure(frames, ["pearson"]).axes)
    2
    """
    figure = Figure(figsize=(9.5, 1.5 * (len(columns) + 1)), layout="constrained")
    panels = figure.subplots(len(columns) + 1, 1, sharex=True)
    for panel, column in zip(panels, columns, strict=False):
        panel.plot(table["frame"], table[column], ".-", color=BLUE, markersize=3, linewidth=0.9)
        panel.set_ylabel(column, fontsize=8)
        panel.grid(alpha=0.3)
    panels[-1].plot(table["frame"], table["brightness_jump_reference"], color=GREY, label="true")
    panels[-1].plot(table["frame"], table["brightness_jump"], color=BLUE, label="virtual")
    panels[-1].set_ylabel("brightness jump", fontsize=8)
    panels[-1].legend(frameon=False, fontsize=8, ncols=2)
    panels[-1].set_xlabel("frame")
    return figure


def example_figure(example: Example) -> Figure:
    """Return one frame: bright-field, virtual, true, and both over each other.

    Virtual and true share their contrast.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((8, 8))
    >>> len(example_figure(Example("frame 0", image, image)).axes)
    3
    """
    low, high = np.percentile(example.reference, (1, 99.8))
    high = high if high > low else low + 1
    pictures: list[tuple[str, npt.NDArray[np.float64], tuple[float, float]]] = []
    if example.bright_field is not None:
        dark, bright = np.percentile(example.bright_field, (0.5, 99.5))
        pictures.append(("bright-field", example.bright_field, (dark, bright)))
    pictures.append(("virtual", example.predicted, (low, high)))
    pictures.append(("true", example.reference, (low, high)))
    height, width = example.reference.shape
    figure = Figure(
        figsize=(2.6 * (len(pictures) + 1), 2.6 * min(2.0, height / width) + 0.3),
        layout="constrained",
    )
    panels = figure.subplots(1, len(pictures) + 1, squeeze=False)[0]
    for panel, (title, image, limits) in zip(panels, pictures, strict=False):
        panel.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
        _label(panel, title)
    colours = [
        np.clip((image - low) / (high - low), 0, 1)
        for image in (example.predicted, example.reference)
    ]
    # magenta and green: white where both agree
    panels[-1].imshow(np.dstack([colours[1], colours[0], colours[1]]), interpolation="nearest")
    _label(panels[-1], "virtual green, true magenta")
    return figure


def _label(panel: Axes, title: str) -> None:
    panel.set_title(title, fontsize=9)
    panel.set_axis_off()
