"""Bootstrap intervals over groups, because frames of one cell are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import InputError
from .evaluation import COLUMNS


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its bootstrap interval.

    Attributes
    ----------
    mean, low, high : float
        NaN bounds where fewer than two groups were given.
    values, groups : int
        How many defined values in how many groups they rest on.
    """

    mean: float
    low: float
    high: float
    values: int
    groups: int


def bootstrap_interval(
    values: npt.ArrayLike,
    groups: Sequence[object] | None = None,
    *,
    level: float = 0.95,
    repeats: int = 2000,
    generator: np.random.Generator | None = None,
) -> Interval:
    """Return the mean of `values` with a percentile interval over resampled groups.

    Parameters
    ----------
    values : array_like, shape (N,)
        Scores, NaN where they do not exist. For a paired comparison, give differences.
    groups : sequence, length N, optional
        Cell or movie of each value; whole groups are drawn. By default each value is
        its own group, which is right for independent images only.
    level : float
        Coverage, in (0, 1).
    repeats : int
        Bootstrap samples.
    generator : numpy.random.Generator, optional
        By default a fixed one, so that a report can be repeated.

    Raises
    ------
    InputError
        Unlike lengths, or a level outside (0, 1).

    Examples
    --------
    >>> result = bootstrap_interval([0.4, 0.5, 0.6, 0.7], ["a", "a", "b", "b"])
    >>> round(result.mean, 3), round(result.low, 3), round(result.high, 3), result.groups
    (0.55, 0.45, 0.65, 2)
    """
    scores = np.asarray(values, dtype=np.float64)
    keys = np.arange(len(scores)) if groups is None else np.asarray(list(groups), dtype=object)
    if len(keys) != len(scores) or not 0 < level < 1 or repeats < 1:
        raise InputError(
            f"{len(scores)} values, {len(keys)} groups, level {level}, {repeats} repeats: expected "
            "one group a value, a level between 0 and 1, and at least one repeat."
        )
    defined = ~np.isnan(scores)
    _, member = np.unique(keys[defined].astype(str), return_inverse=True)
    sums, counts = np.bincount(member, weights=scores[defined]), np.bincount(member)
    total = len(counts)
    mean = float(scores[defined].mean()) if defined.any() else math.nan
    if total < 2 or not math.isfinite(mean):
        return Interval(mean, math.nan, math.nan, int(defined.sum()), total)
    rng = generator or np.random.default_rng(0)
    draws = rng.integers(0, total, (repeats, total))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
    return Interval(mean, float(low), float(high), int(defined.sum()), total)


def summarise(
    table: pd.DataFrame, *, level: float = 0.95, generator: np.random.Generator | None = None
) -> pd.DataFrame:
    """Return one row per score: mean, interval over groups, median, extremes, undefined values.

    Parameters
    ----------
    table : DataFrame
        From :func:`evaluate`; intervals are over its column ``group``, or over frames
        without one.
    level, generator
        See :func:`bootstrap_interval`.

    Returns
    -------
    DataFrame
        Index: the scores of :data:`COLUMNS` that the table has. Columns ``mean low high
        median minimum maximum undefined values groups``.

    Examples
    --------
    >>> import pandas as pd
    >>> frames = pd.DataFrame({"pearson": [0.5, 0.7, float("nan")]})
    >>> summarise(frames)[["mean", "undefined", "values"]]
             mean  undefined  values
    pearson   0.6          1       2
    """
    groups = list(table["group"]) if "group" in table else None
    rows = {}
    for column in [name for name in COLUMNS if name in table]:
        values = table[column]
        interval = bootstrap_interval(values, groups, level=level, generator=generator)
        rows[column] = {
            "mean": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "median": values.median(),
            "minimum": values.min(),
            "maximum": values.max(),
            "undefined": int(values.isna().sum()),
            "values": interval.values,
            "groups": interval.groups,
        }
    return pd.DataFrame.from_dict(rows, orient="index")
