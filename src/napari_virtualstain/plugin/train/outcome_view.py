"""Outcome of a training: one table, one sentence, the worst images, the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHeaderView, QVBoxLayout, QWidget

from ..kit.controls import button, in_row, note
from ..kit.table import FrameTable

_ROWS = {
    "bandpass_pearson": "band-pass Pearson",
    "pearson": "Pearson",
    "ssim": "SSIM",
    "psnr": "PSNR (dB)",
    "mask_iou": "mask IoU",
}
SIMULATED = "simulated, held out"  # group of training.simulated_training
STAIN, BEFORE = "virtual stain", "starting model"
_SHORT = {"best constant": "constant", "bright-field texture": "texture"}
_METHODS = {"before": BEFORE, "after": STAIN}


class OutcomeView(QWidget):
    """Scores before, after and of baselines on the same held-out images.

    Parameters
    ----------
    show_patch : callable
        Receives a held-out image to show.
    """

    def __init__(self, show_patch: Callable[[Any], None]) -> None:
        super().__init__()
        self._show_patch = show_patch
        self._worst: tuple[Any, ...] = ()
        self._next = 0
        self.report: Path | None = None
        self.sentence = note(name="outcome")
        self.table = FrameTable()
        self.table.setObjectName("outcome_table")
        self.table.setAccessibleName("Scores before, after and of baselines")
        self.table.setToolTip(
            "Mean over the held-out images; below it the 95 % interval over cells, of one cell "
            "over its images"
        )
        _fit_width(self.table)
        self.worst_button = button(
            "Worst held-out image",
            "Show the held-out image with the worst stain; press again for the next",
            self._show_next,
            name="worst_button",
        )
        self.report_button = button(
            "Open report",
            "Open the page with all scores and images",
            self._open,
            name="open_report",
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.sentence)
        layout.addWidget(self.table)
        layout.addWidget(in_row(self.worst_button, self.report_button, stretch=None))
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.setVisible(False)

    def show_result(self, result: Any) -> None:
        """Show a :class:`napari_virtualstain.training.TrainingResult`."""
        self._worst, self._next, self.report = tuple(result.worst), 0, _page(result.report)
        self.sentence.setText(outcome_sentence(result.scores, result.card.scores))
        self.table.setVisible(result.scores is not None)
        if result.scores is not None:
            self.table.show_frame(outcome_table(result.card.scores, result.scores))
            _fit_height(self.table)
        self.worst_button.setVisible(bool(self._worst))
        self.report_button.setVisible(self.report is not None)
        self.setVisible(True)

    def _show_next(self) -> None:
        if self._worst:
            self._show_patch(self._worst[self._next % len(self._worst)])
            self._next += 1

    def _open(self) -> None:
        if self.report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.report)))


def outcome_table(scores: dict[str, Any], images: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return a row per score: before and after with their intervals, and the best baseline.

    Parameters
    ----------
    scores : dict
        Of a model card; its intervals are over cells.
    images : DataFrame, optional
        A row for each held-out image and method. Of one cell the interval is over its images.

    Examples
    --------
    >>> after = {"pearson": {"mean": 0.612, "low": 0.55, "high": 0.66}}
    >>> outcome_table({"virtual stain": after})["after"][0].splitlines()
    ['0.61', '0.55–0.66']
    """
    judged = {"before": scores.get("before", {}).get(BEFORE), "after": scores.get(STAIN)}
    judged = {name: values for name, values in judged.items() if values}
    baselines = {
        name: values
        for name, values in scores.items()
        if name not in (STAIN, "before") and _is_method(values)
    }
    rows = [
        {
            "score": text,
            **{
                name: _interval(values.get(key), _values(images, _METHODS[name], key))
                for name, values in judged.items()
            },
            **({"best baseline": _best(baselines, key)} if baselines else {}),
        }
        for key, text in _ROWS.items()
        if any(key in values for values in (*judged.values(), *baselines.values()))
    ]
    return pd.DataFrame(rows)


def _best(baselines: dict[str, Any], key: str) -> str:
    """Return the highest score of what costs nothing, and what that is."""
    means = {
        name: float(values[key]["mean"])
        for name, values in baselines.items()
        if isinstance(values.get(key), dict) and values[key].get("mean") is not None
    }
    if not means:
        return ""
    name = max(means, key=lambda one: means[one])
    return f"{_mean_text({'mean': means[name]})}\n{_SHORT.get(name, name)}"


def outcome_sentence(table: pd.DataFrame | None, scores: dict[str, Any]) -> str:
    """Return in plain words whether the training helped, and for what that counts.

    Parameters
    ----------
    table : DataFrame or None
        A row for each held-out image and method.
    scores : dict
        Of the model card.
    """
    if table is None:
        return "No score can be given: no image was held out that differs from those that trained."
    own = _by_image(table, STAIN)
    rival, what = _by_image(table, BEFORE), "the starting model"
    if not len(rival):
        others = [m for m in table["method"].unique() if m not in (STAIN, BEFORE)]
        means = {m: _mean(_by_image(table, m)) for m in others}
        if not means:
            return _meaning(table, scores)
        best = max(means, key=lambda m: means[m])
        rival, what = _by_image(table, best), f"the best baseline ({best})"
    better, count = int((own > rival).sum()), len(own)
    word = "image" if count == 1 else "images"
    gain = _mean(own - rival)
    verdict = f"Better than {what} on" if gain > 0 else f"No better than {what}: higher on"
    return (
        f"{verdict} {better} of {count} held-out {word} (band-pass Pearson "
        f"{gain:+.3f} on average). {_meaning(table, scores)}"
    )


def _mean(values: np.ndarray) -> float:
    """Return the mean of what is defined; a constant image has no correlation, and counts as 0."""
    return float(np.nan_to_num(values).mean()) if len(values) else 0.0


def _meaning(table: pd.DataFrame, scores: dict[str, Any]) -> str:
    if not scores.get("independent", True):
        return "They are of cells that also trained, so this says nothing about the next cell."
    if all(str(group).startswith(SIMULATED) for group in table.get("group", ["real"])):
        return "They are simulated scenes, so this says nothing about real cells."
    groups = table["group"].nunique() if "group" in table else len(scores.get("judged_on", []))
    if groups < 2:
        return "They are of one cell only, so this says little about the next cell."
    return f"They are of {groups} cells that did not train."


def _by_image(table: pd.DataFrame, method: str) -> np.ndarray:
    """Return the band-pass Pearson of each image; none where the method was not judged."""
    return table[table["method"] == method]["bandpass_pearson"].to_numpy(float)


def _is_method(values: Any) -> bool:
    return isinstance(values, dict) and any(key in values for key in _ROWS)


def _values(images: pd.DataFrame | None, method: str, key: str) -> np.ndarray:
    if images is None or key not in images:
        return np.zeros(0)
    values: np.ndarray = images[images["method"] == method][key].to_numpy(float)
    finite: np.ndarray = values[np.isfinite(values)]
    return finite


def _interval(score: Any, values: np.ndarray) -> str:
    if not isinstance(score, dict) or score.get("mean") is None:
        return ""
    digits = 1 if abs(score["mean"]) > 5 else 2
    text = _mean_text(score)
    if score.get("low") is None:
        if len(values) < 3:
            return text
        drawn = np.random.default_rng(0).choice(values, (2000, len(values)))
        low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
        return f"{text}\n{low:.{digits}f}–{high:.{digits}f}"
    return f"{text}\n{score['low']:.{digits}f}–{score['high']:.{digits}f}"


def _mean_text(score: Any) -> str:
    if not isinstance(score, dict) or score.get("mean") is None:
        return ""
    return f"{score['mean']:.1f}" if abs(score["mean"]) > 5 else f"{score['mean']:.2f}"


def _fit_width(table: FrameTable) -> None:
    """Let the columns share the width: a dock is narrow, and a table that scrolls hides scores."""
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    header.setMinimumSectionSize(40)
    header.setSortIndicatorShown(False)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setWordWrap(True)


def _fit_height(table: FrameTable) -> None:
    """Show all rows, of two lines each."""
    lines = table.fontMetrics().height()
    table.verticalHeader().setDefaultSectionSize(2 * lines + 6)
    table.horizontalHeader().setFixedHeight(2 * lines + 8)
    rows = len(table.frame) * (2 * lines + 6)
    table.setFixedHeight(table.horizontalHeader().height() + rows + 2 * table.frameWidth())


def _page(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    page = Path(folder) / "report.html"
    return page if page.exists() else Path(folder)
