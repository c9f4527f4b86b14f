"""One line about each track: how long, how sure, and where to look."""

from __future__ import annotations

import pandas as pd


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``track_id length missing quality weakest weakest_frame reason``, riskiest first.

    Where the table has a column ``trust``, its mean over each track is added.

    Parameters
    ----------
    table : DataFrame
        Of tracks.

    Examples
    --------
    >>> rows = pd.DataFrame({"track_id": 1, "frame": [0, 1], "quality": [1.0, 0.4],
    ...                      "interpolated": False, "reason": ["", "unusual step"]})
    >>> summarise(rows)[["weakest", "weakest_frame"]].iloc[0].tolist()
    [0.4, 1.0]
    """
    groups = table.groupby("track_id")
    summary = groups.agg(
        length=("frame", "size"), missing=("interpolated", "sum"), quality=("quality", "mean")
    )
    risky = table.sort_values(["quality", "frame"], kind="stable").drop_duplicates("track_id")
    worst = risky.set_index("track_id")
    summary["weakest"] = worst.quality
    summary["weakest_frame"] = worst.frame
    summary["reason"] = worst.reason
    if "trust" in table:
        summary["trust"] = groups["trust"].mean()
    return summary.sort_values("weakest", kind="stable").reset_index()
