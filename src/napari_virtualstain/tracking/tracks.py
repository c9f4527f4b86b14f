"""Tracks of a movie: one row per object and frame, and the graph of parents and daughters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .track_columns import TrackTables


@dataclass(frozen=True, slots=True)
class Tracks(TrackTables):
    """Tracks of a movie.

    Attributes
    ----------
    table : DataFrame
        One row per object and frame, sorted by track and frame: ``track_id frame y_um x_um
        y_px x_px label area_um2 interpolated quality parent reason fragments`` and more.
        ``label`` is 0 and ``interpolated`` true where nothing was seen; ``parent`` is 0 for
        none. ``fragments`` lists all labels, as ``3;7``, of an object that is in several masks in
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
            Parents of each track that has some in the table: napari refuses others.
        """
        unit = "px" if pixels else "um"
        columns = ["track_id", "frame", f"y_{unit}", f"x_{unit}"]
        data = self.table[columns].to_numpy(np.float64)
        numeric = self.table.drop(columns=columns).select_dtypes(["number", "bool"])
        properties = {str(name): values.to_numpy() for name, values in numeric.items()}
        here = set(self.table.track_id)
        known = {child: [p for p in some if p in here] for child, some in self.graph.items()}
        graph = {child: some for child, some in known.items() if some and child in here}
        return data, properties, graph

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
        from .formats.csv import write_csv

        return write_csv(self, path, overwrite=overwrite)

    @classmethod
    def from_csv(cls, path: str | Path) -> Self:
        """Return the tracks that :meth:`to_csv` wrote, every number exactly as it was."""
        from .formats.csv import read_csv

        return cls._of(read_csv(path))

    def to_trackmate(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a TrackMate XML file; :meth:`from_trackmate` gives the same tracks back."""
        from .formats.trackmate import write_trackmate

        return write_trackmate(self, path, overwrite=overwrite)

    @classmethod
    def from_trackmate(cls, path: str | Path) -> Self:
        """Return the tracks of a TrackMate XML file."""
        from .formats.trackmate import read_trackmate

        return cls._of(read_trackmate(path))

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
        from .formats.ctc import write_ctc

        return write_ctc(self, directory, labels, overwrite=overwrite)

    @classmethod
    def from_ctc(
        cls, directory: str | Path, *, pixel_size_um: float = 1.0, frame_interval_s: float = 1.0
    ) -> Self:
        """Return the tracks of a folder in the layout of the Cell Tracking Challenge."""
        from .formats.ctc import read_ctc

        return cls._of(
            read_ctc(directory, pixel_size_um=pixel_size_um, frame_interval_s=frame_interval_s)
        )

    def to_geff(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a GEFF folder; :meth:`from_geff` gives the same tracks back."""
        from .formats.geff import write_geff

        return write_geff(self, path, overwrite=overwrite)

    @classmethod
    def from_geff(cls, path: str | Path) -> Self:
        """Return the tracks of a GEFF folder that :meth:`to_geff` wrote."""
        from .formats.geff import read_geff

        return cls._of(read_geff(path))

    @property
    def masks(self) -> pd.DataFrame:
        """Track of each mask that was tracked: ``frame label track_id``, fragments included."""
        from .relabelling import masks_of

        return masks_of(self.table)

    @property
    def summary(self) -> pd.DataFrame:
        """Quality of each track: ``track_id length missing quality weakest weakest_frame reason``.

        ``quality`` is the mean over its links, ``weakest`` the least sure one.
        """
        from .summary import summarise

        return summarise(self.table)

    @classmethod
    def _of(cls, read: TrackTables) -> Self:
        return cls(read.table, read.graph, read.events, read.pixel_size_um, read.frame_interval_s)
