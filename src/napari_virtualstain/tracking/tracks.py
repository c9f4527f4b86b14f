"""The result of tracking: one row an object a frame, and a graph of who came from whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import InputError

COLUMNS: dict[str, Any] = {
    "track_id": np.int64,
    "frame": np.int64,
    "y_um": np.float64,
    "x_um": np.float64,
    "y_px": np.float64,
    "x_px": np.float64,
    "label": np.int64,
    "area_um2": np.float64,
    "interpolated": np.bool_,
    "quality": np.float64,
    "parent": np.int64,
    "reason": "str",
    "pieces": "str",
}
EVENT_COLUMNS: dict[str, Any] = {
    "kind": "str",
    "frame": np.int64,
    "time_s": np.float64,
    "y_um": np.float64,
    "x_um": np.float64,
    "probability": np.float64,
    "parents": "str",
    "children": "str",
}


@dataclass(frozen=True, slots=True)
class Tracks:
    """Tracks of a movie.

    Attributes
    ----------
    table : DataFrame
        One row an object a frame, sorted by track and frame: ``track_id frame y_um x_um
        y_px x_px label area_um2 interpolated quality parent reason pieces`` and more.
        ``label`` is 0 and ``interpolated`` true where nothing was seen; ``parent`` is 0 for
        none. ``pieces`` names all labels, as ``3;7``, of an object that is in several masks in
        this frame; ``label`` is that of the largest then.
    graph : dict of int to list of int
        Parents of each track that has some: two parents are a fusion, two tracks
        with one parent a fission. This is what napari's Tracks layer takes.
    events : DataFrame
        Fissions and fusions: ``kind frame time_s y_um x_um probability parents children``.
    pixel_size_um, frame_interval_s : float
        Scale of the movie.

    Examples
    --------
    >>> table = pd.DataFrame({"track_id": [1, 1], "frame": [0, 1], "y_um": 0.0, "x_um": [0.0, 1.0]})
    >>> tracks = Tracks.from_table(table)
    >>> tracks.to_napari()[0].shape
    (2, 4)
    """

    table: pd.DataFrame
    graph: dict[int, list[int]] = field(default_factory=dict)
    events: pd.DataFrame = field(default_factory=lambda: empty_events())
    pixel_size_um: float = 1.0
    frame_interval_s: float = 1.0

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        graph: Mapping[int, list[int]] | None = None,
        events: pd.DataFrame | None = None,
        *,
        pixel_size_um: float = 1.0,
        frame_interval_s: float = 1.0,
    ) -> Tracks:
        """Return tracks of a table that has at least ``track_id frame y_um x_um``.

        Raises
        ------
        InputError
            One of these is missing or holds no such numbers, or a track is in a frame twice.
        """
        complete = _complete(table, pixel_size_um)
        twice = complete.duplicated(["track_id", "frame"])
        if twice.any():
            first = complete[twice].iloc[0]
            raise InputError(
                f"Track {first.track_id} is in frame {first.frame} twice: expected one row a track "
                "a frame. Give the second object an identity of its own."
            )
        parents = {int(k): [int(p) for p in v] for k, v in (graph or {}).items() if len(v)}
        complete["parent"] = complete.track_id.map({k: v[0] for k, v in parents.items()}).fillna(0)
        complete["parent"] = complete.parent.astype(np.int64)
        return cls(
            complete,
            parents,
            empty_events() if events is None else _typed(events, EVENT_COLUMNS),
            float(pixel_size_um),
            float(frame_interval_s),
        )

    def __len__(self) -> int:
        return int(self.table.track_id.nunique())

    def __iter__(self) -> Iterator[tuple[int, pd.DataFrame]]:
        """Iterate over (track_id, rows of this track)."""
        for name, rows in self.table.groupby("track_id", sort=True):
            yield int(str(name)), rows

    def to_napari(
        self, *, pixels: bool = True
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]], dict[int, list[int]]]:
        """Return data, properties and graph of a napari Tracks layer.

        Parameters
        ----------
        pixels : bool
            Positions in pixels, for a layer that has the image's scale; else micrometres.

        Returns
        -------
        data : ndarray of shape (n, 4)
            ``track_id t y x``, sorted by track and frame.
        properties : dict of str to ndarray of shape (n,)
            The other columns of the table.
        graph : dict of int to list of int
            Parents of each track that has some.
        """
        unit = "px" if pixels else "um"
        columns = ["track_id", "frame", f"y_{unit}", f"x_{unit}"]
        data = self.table[columns].to_numpy(np.float64)
        numeric = self.table.drop(columns=columns).select_dtypes(["number", "bool"])
        properties = {str(name): values.to_numpy() for name, values in numeric.items()}
        return data, properties, {child: list(parents) for child, parents in self.graph.items()}

    def relabel(self, labels: Any) -> Any:
        """Return `labels` with each value replaced by the track of that object.

        Parameters
        ----------
        labels : array of int, shape (T, Y, X)
            The labels that were tracked; numpy, or dask for a lazy result.

        Returns
        -------
        array of int32, shape (T, Y, X)
            Track numbers; 0 where there is no track. Of the same kind as `labels`.
        """
        from .relabelling import relabel

        return relabel(labels, self.table)

    def to_csv(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the table to `path` and the events beside it; see :meth:`from_csv`."""
        from .csv_files import write_csv

        return write_csv(self, path, overwrite=overwrite)

    @classmethod
    def from_csv(cls, path: str | Path) -> Tracks:
        """Return the tracks that :meth:`to_csv` wrote, every number exactly as it was."""
        from .csv_files import read_csv

        return read_csv(path)

    def to_trackmate(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a TrackMate XML file; :meth:`from_trackmate` gives the same tracks back."""
        from .trackmate_files import write_trackmate

        return write_trackmate(self, path, overwrite=overwrite)

    @classmethod
    def from_trackmate(cls, path: str | Path) -> Tracks:
        """Return the tracks of a TrackMate XML file."""
        from .trackmate_files import read_trackmate

        return read_trackmate(path)

    def to_ctc(
        self, directory: str | Path, labels: Any | None = None, *, overwrite: bool = False
    ) -> Path:
        """Write the layout of the Cell Tracking Challenge; fusions are warned about.

        Parameters
        ----------
        directory : str or Path
            New folder.
        labels : array of int, shape (T, Y, X), optional
            The labels that were tracked. Without them discs of the same area are drawn.
        overwrite : bool
            Whether a folder that is there may be replaced.
        """
        from .ctc_files import write_ctc

        return write_ctc(self, directory, labels, overwrite=overwrite)

    @classmethod
    def from_ctc(
        cls, directory: str | Path, *, pixel_size_um: float = 1.0, frame_interval_s: float = 1.0
    ) -> Tracks:
        """Return the tracks of a folder in the layout of the Cell Tracking Challenge."""
        from .ctc_files import read_ctc

        return read_ctc(directory, pixel_size_um=pixel_size_um, frame_interval_s=frame_interval_s)

    def to_geff(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a GEFF folder; :meth:`from_geff` gives the same tracks back."""
        from .geff_files import write_geff

        return write_geff(self, path, overwrite=overwrite)

    @classmethod
    def from_geff(cls, path: str | Path) -> Tracks:
        """Return the tracks of a GEFF folder that :meth:`to_geff` wrote."""
        from .geff_files import read_geff

        return read_geff(path)

    @property
    def masks(self) -> pd.DataFrame:
        """Track of each mask that was tracked: ``frame label track_id``, pieces included."""
        from .relabelling import masks_of

        return masks_of(self.table)

    @property
    def summary(self) -> pd.DataFrame:
        """Quality of each track: ``track_id length missing quality weakest weakest_frame reason``.

        ``quality`` is the mean over its links, ``weakest`` the least sure one.
        """
        from .summarising import summarise

        return summarise(self.table)


def empty_events() -> pd.DataFrame:
    """Return an events table without rows."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in EVENT_COLUMNS.items()})


def _complete(table: pd.DataFrame, pixel_size_um: float) -> pd.DataFrame:
    missing = [name for name in ("track_id", "frame", "y_um", "x_um") if name not in table]
    if missing:
        raise InputError(
            f"A table of tracks lacks {', '.join(missing)}; it has "
            f"{', '.join(map(str, table.columns)) or 'no columns'}. Expected at least "
            "track_id, frame, y_um, x_um."
        )
    full = table.copy()
    _check_numbers(full)
    defaults: dict[str, Any] = {
        "y_px": full.y_um / pixel_size_um,
        "x_px": full.x_um / pixel_size_um,
        "label": 0,
        "area_um2": np.nan,
        "interpolated": False,
        "quality": 1.0,
        "parent": 0,
        "reason": "",
        "pieces": "",
    }
    for name, value in defaults.items():
        if name not in full:
            full[name] = value
    for name in ("reason", "pieces"):
        full[name] = full[name].astype(object).where(full[name].notna(), "")
    others = [name for name in full.columns if name not in COLUMNS]
    full = _typed(full[[*COLUMNS, *others]], COLUMNS)
    return full.sort_values(["track_id", "frame"], kind="stable").reset_index(drop=True)


def _check_numbers(table: pd.DataFrame) -> None:
    """Raise a clear error unless places are finite, and tracks and frames whole numbers."""
    for name in ("track_id", "frame", "y_um", "x_um"):
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        whole = name in ("track_id", "frame")
        bad = ~np.isfinite(values) | (whole & (values != np.round(values)))
        if bad.any():
            raise InputError(
                f"A table of tracks has {table[name].iloc[int(bad.argmax())]} in column {name}, "
                f"row {int(bad.argmax())}: expected {'whole' if whole else 'finite'} numbers."
            )


def _typed(table: pd.DataFrame, kinds: dict[str, Any]) -> pd.DataFrame:
    try:
        return table.astype({name: kind for name, kind in kinds.items() if name in table})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"A table of tracks holds a value of the wrong kind ({error}): expected numbers in "
            f"{', '.join(kinds)}."
        ) from error
