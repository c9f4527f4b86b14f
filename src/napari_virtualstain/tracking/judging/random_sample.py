"""Quality of the tracks of a movie: the share of right ones among a random sample.

Judging each of some hundred tracks takes hours; judging thirty that were drawn at random takes
minutes and says, with an interval, how many of all are right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from ...errors import InputError


@dataclass(frozen=True, slots=True)
class ShareRight:
    """Share of right ones in a random sample, with its Wilson score interval.

    Attributes
    ----------
    right, judged : int
        How many of how many; those that a person is unsure of are not counted.
    share, low, high : float
        Share and interval in [0, 1]; NaN, 0 and 1 where nothing was judged.
    """

    right: int
    judged: int
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return it as a sentence's part, such as ``27 of 30 right: 90 % (74 to 97 %)``."""
        if not self.judged:
            return "none judged"
        part, low, high = (round(100 * value) for value in (self.share, self.low, self.high))
        return f"{self.right} of {self.judged} right: {part} % ({low} to {high} %)"


def wilson_interval(right: int, judged: int, confidence: float = 0.95) -> ShareRight:
    """Return the share right with the Wilson score interval (Wilson 1927).

    Raises
    ------
    InputError
        The numbers are impossible.

    Examples
    --------
    >>> str(wilson_interval(27, 30))
    '27 of 30 right: 90 % (74 to 97 %)'
    """
    if not 0 <= right <= judged or not 0 < confidence < 1:
        raise InputError(
            f"{right} right of {judged} with confidence {confidence}: expected 0 to as many as "
            "were judged, and a confidence between 0 and 1."
        )
    if judged == 0:
        return ShareRight(0, 0, math.nan, 0.0, 1.0)
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    share = right / judged
    centre = (share + z2 / (2 * judged)) / (1 + z2 / judged)
    spread = z2 / judged * (share * (1 - share) + z2 / (4 * judged))
    half = math.sqrt(spread) / (1 + z2 / judged)
    return ShareRight(right, judged, share, max(0.0, centre - half), min(1.0, centre + half))


def draw_tracks(table: pd.DataFrame, count: int, seed: int) -> list[int]:
    """Return `count` tracks of `table` drawn at random without replacement; all if there are fewer.

    The same seed and tracks give the same sample in the same order, in whatever order the rows are.

    Raises
    ------
    InputError
        `count` is below 1.

    Examples
    --------
    >>> table = pd.DataFrame({"track_id": [3, 3, 5, 8], "frame": [0, 1, 0, 0]})
    >>> sorted(draw_tracks(table, 9, seed=0))
    [3, 5, 8]
    """
    track_ids = np.unique(table["track_id"].to_numpy(np.int64))
    chosen: list[int] = _drawn(track_ids, count, seed).tolist()
    return chosen


def draw_links(table: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Return `count` links drawn at random: ``track_id frame``, the frame each leads to.

    Links of one track share their fate, so the interval of their share holds for links that are
    drawn one by one, not for all links of the drawn tracks.

    Raises
    ------
    InputError
        `count` is below 1.

    Examples
    --------
    >>> table = pd.DataFrame({"track_id": [1, 1, 1, 2, 2], "frame": [0, 1, 2, 0, 1]})
    >>> len(draw_links(table, 2, seed=0))
    2
    """
    seen = table
    if "interpolated" in table:
        seen = table[~table["interpolated"].to_numpy(bool)]
    ordered = seen[["track_id", "frame"]].sort_values(["track_id", "frame"], kind="stable")
    links = ordered[ordered.track_id.eq(ordered.track_id.shift())].reset_index(drop=True)
    return links.iloc[_drawn(np.arange(len(links)), count, seed)].reset_index(drop=True)


def share_right(verdicts: Mapping[object, str], confidence: float = 0.95) -> ShareRight:
    """Return the share of ``ok`` among verdicts ``ok`` and ``wrong``; ``unsure`` is left out.

    Examples
    --------
    >>> share_right({1: "ok", 2: "wrong", 3: "unsure"}).judged
    2
    """
    right = sum(verdict == "ok" for verdict in verdicts.values())
    wrong = sum(verdict == "wrong" for verdict in verdicts.values())
    return wilson_interval(right, right + wrong, confidence)


def _drawn(what: np.ndarray, count: int, seed: int) -> np.ndarray:
    if count < 1:
        raise InputError(f"A sample of {count} was asked for: expected at least 1.")
    rng = np.random.default_rng(seed)
    return rng.permutation(what)[:count]
