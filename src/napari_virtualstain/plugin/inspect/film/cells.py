"""The film of one mitochondrion: a square around it from each frame of its life, without Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....tracking import EditableTracks
from ..mask_book import MaskBook, cut_out

DOUBTFUL = 0.5
_LEAST, _LARGEST, _MARGIN = 10, 80, 5
_SAMPLE = 7


@dataclass(frozen=True, slots=True)
class FilmSource:
    """One row of the film.

    Attributes
    ----------
    name : str
        What it shows: bright-field, virtual, true.
    data : array (T, Y, X)
        Numpy or lazy.
    colours : callable
        Turns grey values in [0, 1] into RGBA, as the layer does.
    limits : tuple of float
        Grey values of black and full colour.
    offset : tuple of float
        Row and column of the tracks' origin in this image.
    """

    name: str
    data: Any
    colours: Callable[[np.ndarray], np.ndarray]
    limits: tuple[float, float]
    offset: tuple[float, float] = (0.0, 0.0)

    @property
    def is_quick(self) -> bool:
        """Whether a plane is there without computing or reading files."""
        return isinstance(self.data, np.ndarray)

    def picture(self, frame: int, y: float, x: float, half: int) -> np.ndarray | None:
        """Return the square around a place as RGB, uint8; None where there is no such frame."""
        if not 0 <= frame < len(self.data):
            return None
        plane = np.asarray(self.data[frame])
        plane = plane.max(axis=0) if plane.ndim == 3 else plane
        values = cut_out(plane, y + self.offset[0], x + self.offset[1], half).astype(np.float32)
        low, high = self.limits
        unit = np.nan_to_num(np.clip((values - low) / max(high - low, 1e-12), 0, 1))
        rgb = self.colours(unit.ravel())[:, :3].reshape(*unit.shape, 3)
        return np.ascontiguousarray((255 * rgb).round().astype(np.uint8))


@dataclass(frozen=True, slots=True)
class FilmCell:
    """One frame of the film.

    Attributes
    ----------
    frame : int
        Frame of the movie.
    y_px, x_px : float
        Middle of the mitochondrion.
    marks : tuple of str
        Of ``fission fusion gap doubtful``.
    outline : list of ndarray, shape (n, 2)
        Border of its mask, (row, column) in the picture.
    """

    frame: int
    y_px: float
    x_px: float
    marks: tuple[str, ...]
    outline: list[np.ndarray] = field(default_factory=list)


class Film:
    """All frames of a track's life, read when they are shown.

    Parameters
    ----------
    tracks : EditableTracks
        The tracks.
    track_id : int
        Whose life.
    sources : list of FilmSource
        The rows.
    masks : MaskBook or None
        Outlines.
    """

    def __init__(
        self,
        tracks: EditableTracks,
        track_id: int,
        sources: list[FilmSource],
        masks: MaskBook | None = None,
    ) -> None:
        self.track_id, self.sources = track_id, sources
        self._tracks, self._masks = tracks, masks
        self._rows = tracks.rows_of(track_id)
        self.frames: list[int] = [int(frame) for frame in tracks["frame"][self._rows]]
        self.half = _half_width(tracks, self._rows, masks)
        self._marks = _marks(tracks, track_id, self._rows)
        self._cells: dict[int, FilmCell] = {}
        self._pictures: dict[tuple[int, int], np.ndarray | None] = {}

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def has_masks(self) -> bool:
        """Whether outlines can be drawn."""
        return self._masks is not None

    def cell(self, place: int) -> FilmCell:
        """Return what is known of a frame without its pictures."""
        if place not in self._cells:
            from skimage.measure import find_contours

            row = int(self._rows[place])
            outline: list[np.ndarray] = []
            if self._masks is not None:
                mask = self._masks.mask(self._tracks, row, self.half)
                if mask is not None and mask.any():
                    outline = [line - 1 for line in find_contours(np.pad(mask, 1).astype(float))]
            y, x = (float(self._tracks[name][row]) for name in ("y_px", "x_px"))
            self._cells[place] = FilmCell(self.frames[place], y, x, self._marks[place], outline)
        return self._cells[place]

    def picture(self, place: int, source: int) -> np.ndarray | None:
        """Return a picture that is there already, or one that is there without waiting."""
        if (place, source) not in self._pictures and self.sources[source].is_quick:
            self.read(place, source)
        return self._pictures.get((place, source))

    def missing(self, places: range) -> list[tuple[int, int]]:
        """Return the pictures of some frames that must be read first."""
        slow = [i for i, source in enumerate(self.sources) if not source.is_quick]
        return [(p, i) for p in places for i in slow if (p, i) not in self._pictures]

    def read(self, place: int, source: int) -> None:
        """Read one picture; may be called in a thread."""
        cell = self.cell(place)
        read = self.sources[source].picture(cell.frame, cell.y_px, cell.x_px, self.half)
        self._pictures[place, source] = read

    def place_of(self, frame: int | None) -> int | None:
        """Return the place of a frame, None where the track is not in it."""
        return self.frames.index(frame) if frame in self.frames else None


def _half_width(tracks: EditableTracks, rows: np.ndarray, masks: MaskBook | None) -> int:
    """Return half the width of the squares: the whole mitochondrion is in each, with a margin."""
    sample = rows[:: max(1, len(rows) // _SAMPLE)]
    reach = 0.0
    for row in sample if masks is not None else ():
        mask = masks.mask(tracks, int(row), _LARGEST) if masks is not None else None
        if mask is not None and mask.any():
            reach = max(reach, float(np.abs(np.argwhere(mask) - _LARGEST).max()))
    if reach == 0 and "height_px" in tracks.columns:
        reach = float(np.nanmax(tracks["height_px"][sample])) / 2
    return int(np.clip(np.ceil(reach) + _MARGIN if reach else 16, _LEAST, _LARGEST))


def _marks(tracks: EditableTracks, track_id: int, rows: np.ndarray) -> list[tuple[str, ...]]:
    marks: list[list[str]] = [[] for _ in rows]
    if "quality" in tracks.columns:
        for place, quality in enumerate(tracks["quality"][rows]):
            if quality < DOUBTFUL and place:
                marks[place].append("doubtful")
    if "interpolated" in tracks.columns:
        for place, filled in enumerate(tracks["interpolated"][rows]):
            if filled:
                marks[place].append("gap")
    for place, step in enumerate(np.diff(tracks["frame"][rows])):
        if step > 1:
            marks[place + 1].append("gap")
    of = tracks.parents.get(track_id, [])
    if of:
        marks[0].append("fusion" if len(of) > 1 else "fission")
    if children := tracks.children(track_id):
        marks[-1].append("fission" if len(children) > 1 else "fusion")
    return [tuple(dict.fromkeys(one)) for one in marks]
