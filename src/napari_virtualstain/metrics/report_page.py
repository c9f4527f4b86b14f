"""The report as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .evaluation import COLUMNS, LOWER_IS_BETTER

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-size: .9rem }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
td.best { font-weight: 700 } td.text { text-align: left }
.scroll { overflow-x: auto } img { max-width: 100%; height: auto }
.warning { border-left: 5px solid #D55E00; background: #fdf3ec; padding: .5rem 1rem;
           margin: .5rem 0 }
figure { margin: 1rem 0 } figcaption { font-size: .85rem; color: #555 }
details pre { background: #f5f5f5; padding: 1rem; overflow-x: auto; font-size: .8rem }
"""


def page(title: str, sections: Sequence[str]) -> str:
    """Return a whole HTML page of the given sections, which are HTML already.

    Examples
    --------
    >>> "<title>A &amp; B</title>" in page("A & B", [])
    True
    """
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>{html.escape(title)}</h1>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def paragraphs(texts: Sequence[str]) -> str:
    """Return each text as a paragraph.

    Examples
    --------
    >>> paragraphs(["a < b"])
    '<p>a &lt; b</p>'
    """
    return "\n".join(f"<p>{html.escape(text)}</p>" for text in texts)


def warnings_box(texts: Sequence[str]) -> str:
    """Return what the reader has to know before believing a number.

    Examples
    --------
    >>> warnings_box(["leak"])
    "<div class='warning' role='note'>leak</div>"
    """
    return "\n".join(
        f"<div class='warning' role='note'>{html.escape(text)}</div>" for text in texts
    )


def picture(png: bytes, caption: str) -> str:
    """Return an image inside the page, its caption also for who cannot see it.

    Examples
    --------
    >>> picture(b"", "Empty").startswith("<figure><img src='data:image/png;base64,'")
    True
    """
    text = html.escape(caption, quote=True)
    data = base64.b64encode(png).decode("ascii")
    return (
        f"<figure><img src='data:image/png;base64,{data}' alt='{text}'>"
        f"<figcaption>{text}</figcaption></figure>"
    )


def scores_table(summary: pd.DataFrame, baseline_means: Mapping[str, pd.Series]) -> str:
    """Return the table of mean scores with intervals, baselines beside, the best in bold.

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
    >>> "0.550" in table
    True
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
    head = "".join(f"<th scope='col'>{html.escape(text)}</th>" for text in heads)
    return (
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def definitions_table() -> str:
    """Return what each score means.

    Examples
    --------
    >>> "Structural similarity" in definitions_table()
    True
    """
    rows = "".join(
        f"<tr><th scope='row'>{name}</th><td class='text'>{html.escape(text)}</td></tr>"
        for name, text in COLUMNS.items()
    )
    return f"<div class='scroll'><table><tbody>{rows}</tbody></table></div>"


def settings_block(settings: Mapping[str, Any]) -> str:
    """Return the settings as text that can be unfolded and copied.

    Examples
    --------
    >>> "pixel_size_um" in settings_block({"pixel_size_um": 0.08})
    True
    """
    text = html.escape(json.dumps(settings, indent=2, default=str, ensure_ascii=False))
    return f"<details><summary>Settings and versions</summary><pre>{text}</pre></details>"


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


def _row(name: str, summary: pd.Series, baselines: Mapping[str, float]) -> str:
    means = [float(summary["mean"]), *baselines.values()]
    best = [not any(is_better(name, other, mean) for other in means) for mean in means]
    low, high = summary["low"], summary["high"]
    interval = f"{number(low)} to {number(high)}" if np.isfinite(low) else number(low)
    cells = [_cell(number(means[0]), best[0] and len(means) > 1), _cell(interval)]
    cells += [_cell(number(summary[column])) for column in ("median", "minimum", "maximum")]
    cells += [_cell(number(mean), won) for mean, won in zip(means[1:], best[1:], strict=True)]
    return (
        f"<tr><th scope='row'>{name}</th>{''.join(cells)}{_cell(f'{summary.undefined:.0f}')}</tr>"
    )


def _cell(text: str, best: bool = False) -> str:
    return f"<td class='best'>{text}</td>" if best else f"<td>{text}</td>"
