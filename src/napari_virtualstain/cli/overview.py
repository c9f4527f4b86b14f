"""Overview picture of a demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .demo_scores import Demo

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito's colours, told apart by colour-blind people too
_OURS, _SIMPLE, _FISSION, _FUSION = "#0072B2", "#B0B0B0", "#E69F00", "#56B4E9"
_TRAIL_FRAMES = 12


def draw_overview(demo: Demo, scores: pd.DataFrame, path: Path) -> None:
    """Draw input, stain, truth, outlines, tracks and scores into one PNG.

    Parameters
    ----------
    demo : Demo
        What is shown, at the middle frame.
    scores : DataFrame
        As :func:`score_demo` returns them.
    path : Path
        PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 10.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    frames = len(demo.virtual)
    t = frames // 2
    figure.suptitle(
        f"napari-virtualstain demo — simulated time-lapse, frame {t + 1} of {frames} "
        f"({t * demo.frame_interval_s:g} s)",
        fontsize=16,
    )
    _show(axes[0, 0], demo.bright_field[t], "1  Given: bright-field, no dye", "gray")
    _show(axes[0, 1], demo.virtual[t], "2  Stained: virtual fluorescence", "magma")
    _show(axes[0, 2], demo.fluorescence[t], "Truth: fluorescence, never shown to it", "magma")
    _outlines(axes[1, 0], demo, t)
    _tracks(axes[1, 1], demo, t)
    _scores(axes[1, 2], scores)
    _scale_bar(axes[0, 0], demo.pixel_size_um)
    figure.savefig(path, format="png")


def _show(axis: Any, image: np.ndarray, title: str, colours: str) -> None:
    low, high = np.nanpercentile(image, [0.5, 99.7])
    axis.imshow(image, cmap=colours, vmin=low, vmax=max(high, low + 1e-9))
    axis.set_title(title, fontsize=13, loc="left")
    axis.set_axis_off()


def _outlines(axis: Any, demo: Demo, t: int) -> None:
    labels, truth = demo.labels[t], demo.true_labels[t]
    found, true = len(np.unique(labels[labels > 0])), len(np.unique(truth[truth > 0]))
    _show(axis, demo.virtual[t], f"3  Outlined: {found} mitochondria (truth: {true})", "gray")
    painted = np.zeros((*labels.shape, 4))
    painted[..., :3] = _colours(labels)
    painted[..., 3] = np.where(labels > 0, 0.55, 0.0)
    axis.imshow(painted)
    if truth.any():
        axis.contour(truth > 0, levels=[0.5], colors="white", linewidths=0.7)
    axis.text(0.01, 0.01, "white line: truth", transform=axis.transAxes, color="white", fontsize=9)


def _tracks(axis: Any, demo: Demo, t: int) -> None:
    table = demo.tracks
    names = table["track_id"].nunique()
    true = demo.true_tracks["track_id"].nunique()
    _show(axis, demo.virtual[t], f"4  Tracked: {names} tracks (truth: {true})", "gray")
    first = max(0, t - _TRAIL_FRAMES)
    near = table[(table["frame"] >= first) & (table["frame"] <= t)]
    for name, rows in near.groupby("track_id"):
        colour = _colours(np.array([int(str(name))]))[0]
        rows = rows.sort_values("frame")
        axis.plot(rows["x_px"], rows["y_px"], "-", color=colour, linewidth=2)
        if rows["frame"].iloc[-1] == t:
            axis.plot(rows["x_px"].iloc[-1], rows["y_px"].iloc[-1], "o", color=colour, markersize=5)
    _events(axis, demo)
    height, width = demo.virtual[t].shape
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _events(axis: Any, demo: Demo) -> None:
    for kind, mark, colour in (("fission", "x", _FISSION), ("fusion", "P", _FUSION)):
        events = demo.events[demo.events["kind"] == kind]
        true = int((demo.true_events["kind"] == kind).sum())
        axis.plot(
            events["x_um"] / demo.pixel_size_um,
            events["y_um"] / demo.pixel_size_um,
            mark,
            color=colour,
            markersize=9,
            markeredgewidth=2,
            linestyle="none",
            label=f"{kind}: {len(events)} in the movie (truth: {true})",
        )
    axis.legend(loc="lower left", fontsize=8, framealpha=0.7)


def _scores(axis: Any, scores: pd.DataFrame) -> None:
    places = np.arange(len(scores))[::-1] * 1.0
    axis.barh(places, scores["score"], 0.24, color=_OURS, label="napari-virtualstain")
    axis.barh(
        places - 0.26, scores["baseline_score"].fillna(0), 0.24, color=_SIMPLE, label="baseline"
    )
    rows: list[Any] = list(scores.itertuples())
    for place, row in zip(places, rows, strict=True):
        axis.text(0.0, place + 0.16, row.what, va="bottom", fontsize=10)
        axis.text(max(row.score, 0) + 0.01, place, f"{row.score:.2f}", va="center", weight="bold")
        text = f"{row.baseline_score:.2f}  {row.baseline}"
        where = max(row.baseline_score, 0) + 0.01
        axis.text(where, place - 0.26, text, va="center", fontsize=8, color="#555555")
    axis.set_yticks([])
    axis.set(xlim=(min(0.0, float(scores["score"].min())), 1.12), ylim=(-0.6, len(rows) - 0.4))
    axis.axvline(1.0, color="#888888", linewidth=0.8, linestyle=":")
    axis.set_title("How good: 1 is perfect", fontsize=13, loc="left")
    axis.legend(loc="lower right", fontsize=9)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _scale_bar(axis: Any, pixel_size_um: float) -> None:
    length_px = 5.0 / pixel_size_um
    height, width = axis.images[0].get_array().shape
    if length_px > width / 2:
        return
    y, x = height * 0.95, width * 0.95
    axis.plot([x - length_px, x], [y, y], color="white", linewidth=4)
    axis.text(x - length_px / 2, y - height * 0.02, "5 µm", color="white", ha="center")


def _colours(numbers: np.ndarray) -> np.ndarray:
    """Return a bright colour for each number, neighbours far apart."""
    from matplotlib.colors import hsv_to_rgb

    hue = (numbers * 0.61803398875) % 1.0
    full = np.ones_like(hue, dtype=float)
    return np.asarray(hsv_to_rgb(np.stack([hue, 0.75 * full, full], axis=-1)))
