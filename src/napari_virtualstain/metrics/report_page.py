"""The report as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .evaluation import COLUMNS, LOWER_IS_BETTER


@dataclass(frozen=True, slots=True)
class Picture:
    """Image inside the page.

    Attributes
    ----------
    caption : str
        Text below it, also the alternative text for screen readers.
    png : bytes
        The encoded image.
    """

    caption: str
    png: bytes = field(repr=False)

    @property
    def base64(self) -> str:
        """The image as text for a data URL."""
        return base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True, slots=True)
class Cell:
    """Entry of the table of scores."""

    text: str
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One score: its name and the entries beside it."""

    score: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class ScoresTable:
    """Mean scores with intervals, with the baselines beside them."""

    heads: list[str]
    rows: list[Row]


def render_page(
    *,
    title: str,
    warnings: Sequence[str],
    verdict: Sequence[str],
    table: ScoresTable,
    sections: Mapping[str, Sequence[Picture]],
    baselines: Mapping[str, str],
    settings: Mapping[str, Any],
) -> str:
    """Return the whole HTML page, made from ``report.html.jinja``; all text is escaped.

    Parameters
    ----------
    title : str
        Headline.
    warnings : sequence of str
        What a reader has to know before believing a number.
    verdict : sequence of str
        Paragraphs that sum up the scores.
    table : ScoresTable
        From :func:`scores_table`.
    sections : mapping of str to sequence of Picture
        Pictures by their heading.
    baselines : mapping of str to str
        Meaning of each baseline.
    settings : mapping
        Printed at the end as JSON.

    Examples
    --------
    >>> page = render_page(
    ...     title="A & B", warnings=["leak"], verdict=[], table=ScoresTable([], []),
    ...     sections={}, baselines={}, settings={},
    ... )
    >>> "<title>A &amp; B</title>" in page
    True
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    page: str = environment.get_template("report.html.jinja").render(
        title=title,
        warnings=warnings,
        verdict=verdict,
        table=table,
        sections=sections,
        definitions=COLUMNS,
        baselines=baselines,
        settings=json.dumps(settings, indent=2, default=str, ensure_ascii=False),
    )
    return page


def scores_table(summary: pd.DataFrame, baseline_means: Mapping[str, pd.Series]) -> ScoresTable:
    """Return the table of mean scores with intervals, baselines beside, the best marked.

    Parameters
    ----------
    summary : DataFrame
        From :func:`summarise`.
    baseline_means : mapping of str to Series
        Mean score by column, for each baseline.

    Examples
    --------
    >>> import pandas as pd
    >>> from .intervals import summarise
    >>> table = scores_table(summarise(pd.DataFrame({"pearson": [0.5, 0.6]})), {})
    >>> table.rows[0].score, table.rows[0].cells[0].text
    ('pearson', '0.550')
    """
    heads = ["score", "virtual stain, mean", "95 % interval", "median", "minimum", "maximum"]
    heads += [*baseline_means, "undefined frames"]
    rows = [
        _row(
            str(name),
            row,
            {base: means.get(name, np.nan) for base, means in baseline_means.items()},
        )
        for name, row in summary.iterrows()
        if row["values"]
    ]
    return ScoresTable(heads, rows)


def number(value: float) -> str:
    """Return three decimals, or words where there is no number.

    Examples
    --------
    >>> number(0.5), number(float("nan")), number(float("inf"))
    ('0.500', '–', '∞')
    """
    if np.isnan(value):
        return "–"
    return "∞" if np.isposinf(value) else f"{value:.3f}"


def is_better(name: str, value: float, other: float) -> bool:
    """Return whether `value` is a better score than `other`; any number beats none.

    Examples
    --------
    >>> is_better("pearson", 0.5, 0.4), is_better("kl", 0.5, 0.4)
    (True, False)
    """
    if np.isnan(value) or np.isnan(other):
        return bool(np.isnan(other) and not np.isnan(value))
    return bool(value < other if name in LOWER_IS_BETTER else value > other)


def _row(name: str, summary: pd.Series, baselines: Mapping[str, float]) -> Row:
    means = [float(summary["mean"]), *baselines.values()]
    best = [not any(is_better(name, other, mean) for other in means) for mean in means]
    low, high = summary["low"], summary["high"]
    interval = f"{number(low)} to {number(high)}" if np.isfinite(low) else number(low)
    cells = [Cell(number(means[0]), best[0] and len(means) > 1), Cell(interval)]
    cells += [Cell(number(summary[column])) for column in ("median", "minimum", "maximum")]
    cells += [Cell(number(mean), won) for mean, won in zip(means[1:], best[1:], strict=True)]
    return Row(name, [*cells, Cell(f"{summary.undefined:.0f}")])
