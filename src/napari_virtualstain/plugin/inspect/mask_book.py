"""The masks of tracks in a Labels layer: found, painted, and kept in step with edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...tracking import Change, EditableTracks
from ..layers.description import unwrap

_SAMPLE = 300
_LEAST_FIT = 0.8


@dataclass(frozen=True, slots=True)
class Pixels:
    """Pixels of one frame that changed, for going back and forth.

    Attributes
    ----------
    frame : int
        Where.
    places : ndarray of int
        Flat indices into the plane.
    before, after : ndarray of int
        Values.
    """

    frame: int
    places: np.ndarray
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True, slots=True)
class Patch:
    """A mask to be painted.

    Attributes
    ----------
    frame, top, left : int
        Where its first pixel lies.
    mask : ndarray of bool, shape (h, w)
        The mask.
    """

    frame: int
    top: int
    left: int
    mask: np.ndarray

    def to_record(self) -> dict[str, Any]:
        """Return the patch as run lengths, beginning with the empty ones, for the log."""
        flat = self.mask.ravel().astype(np.int8)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]])))
        runs = np.diff(np.concatenate([[0], edges])).tolist()
        shape = [int(n) for n in self.mask.shape]
        return {
            "frame": self.frame,
            "top": self.top,
            "left": self.left,
            "shape": shape,
            "runs": runs,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Patch:
        """Return the patch that :meth:`to_record` wrote."""
        values = np.arange(len(record["runs"])) % 2 == 1
        mask = np.repeat(values, record["runs"]).reshape(record["shape"])
        return cls(int(record["frame"]), int(record["top"]), int(record["left"]), mask)


class MaskBook:
    """Masks of the tracks in one Labels layer of planes over time.

    Parameters
    ----------
    layer : Labels layer
        ``(T, Y, X)``, in memory.
    by_track : bool
        Whether the values are the numbers of the tracks; else they are the column ``label``.
    """

    def __init__(self, layer: Any, *, by_track: bool) -> None:
        self.layer, self.by_track = layer, by_track

    def value(self, tracks: EditableTracks, row: int) -> int:
        """Return the value of the mask of a row, 0 where it has none."""
        if self.by_track:
            return int(tracks["track_id"][row])
        return int(tracks["label"][row]) if "label" in tracks.columns else 0

    def plane(self, frame: int) -> np.ndarray | None:
        """Return the labels of a frame, None outside of the movie."""
        data = self.layer.data
        if not 0 <= frame < len(data):
            return None
        return np.asarray(data[frame])

    def mask(self, tracks: EditableTracks, row: int, half: int) -> np.ndarray | None:
        """Return the mask of a row in the square of 2 `half` + 1 pixels around it."""
        plane, value = self.plane(int(tracks["frame"][row])), self.value(tracks, row)
        if plane is None or value == 0:
            return None
        y, x = float(tracks["y_px"][row]), float(tracks["x_px"][row])
        return np.asarray(cut_out(plane, y, x, half) == value)

    def track_at(self, tracks: EditableTracks, frame: int, y: float, x: float) -> int | None:
        """Return the track whose mask covers a place, or None."""
        plane = self.plane(frame)
        row, column = round(y), round(x)
        if plane is None or not (0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]):
            return None
        value = int(plane[row, column])
        if value == 0:
            return None
        if self.by_track:
            return value if value in tracks and tracks.row_at(value, frame) is not None else None
        rows = tracks.frame_rows(frame)
        found = rows[tracks["label"][rows] == value]
        return int(tracks["track_id"][found[0]]) if len(found) else None

    def follow(self, change: Change, tracks: EditableTracks) -> list[Pixels]:
        """Paint what a change of the tracks asks for; return the pixels."""
        if not self.by_track:
            return []
        done: list[Pixels] = []
        for kind, place, before, after in change.steps:
            if kind == "cells" and place[0] == "track_id":
                for row, old, new in zip(place[1], before, after, strict=True):
                    done += self._replace(int(tracks["frame"][row]), int(old), int(new))
            elif kind == "alive" and not after:
                for row in place:
                    frame, old = int(tracks["frame"][row]), int(tracks["track_id"][row])
                    done += self._replace(frame, old, 0)
        return done

    def paint(self, patch: Patch, value: int) -> list[Pixels]:
        """Give the background pixels of a patch a value; other mitochondria stay whole."""
        plane = self.plane(patch.frame)
        if plane is None:
            return []
        rows, columns = np.nonzero(patch.mask)
        rows, columns = rows + patch.top, columns + patch.left
        inside = (rows >= 0) & (rows < plane.shape[0])
        inside &= (columns >= 0) & (columns < plane.shape[1])
        places = rows[inside] * plane.shape[1] + columns[inside]
        places = places[plane.ravel()[places] == 0]
        return self._write(patch.frame, places, np.full(len(places), value))

    def erase(self, frame: int, value: int) -> list[Pixels]:
        """Take a mask away."""
        return self._replace(frame, value, 0)

    def put(self, pixels: list[Pixels], *, forward: bool) -> None:
        """Go back to the pixels of before, or again to those of after."""
        for one in pixels if forward else reversed(pixels):
            self._set(one.frame, one.places, one.after if forward else one.before)

    def refresh(self) -> None:
        """Show what was painted."""
        self.layer.refresh()

    def new_label(self, frame: int) -> int:
        """Return a label that the frame does not have."""
        plane = self.plane(frame)
        return 1 + (int(plane.max()) if plane is not None and plane.size else 0)

    def _replace(self, frame: int, old: int, new: int) -> list[Pixels]:
        plane = self.plane(frame)
        if plane is None or old == 0:
            return []
        places = np.flatnonzero(plane == old)
        return self._write(frame, places, np.full(len(places), new))

    def _write(self, frame: int, places: np.ndarray, values: np.ndarray) -> list[Pixels]:
        if not len(places):
            return []
        before = self.layer.data[frame].flat[places]
        self._set(frame, places, values)
        return [Pixels(frame, places, before, values)]

    def _set(self, frame: int, places: np.ndarray, values: np.ndarray) -> None:
        self.layer.data[frame].flat[places] = values


def find_masks(viewer: Any, tracks: EditableTracks, preferred: tuple[Any, ...]) -> MaskBook | None:
    """Return the masks of `tracks` among the Labels layers of a viewer, or None.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are compared with the tracks at a sample of positions.
    tracks : EditableTracks
        The tracks.
    preferred : tuple of layers
        Looked at first.
    """
    layers = [layer for layer in map(unwrap, viewer.layers) if type(layer).__name__ == "Labels"]
    layers = [layer for layer in layers if layer.ndim == 3 and isinstance(layer.data, np.ndarray)]
    layers.sort(key=lambda layer: not any(layer is unwrap(one) for one in preferred))
    for by_track in (True, False):
        fits = [(_fit(layer, tracks, by_track=by_track), layer) for layer in layers]
        best = max(fits, key=lambda fit: fit[0], default=(0.0, None))
        if best[0] > _LEAST_FIT:
            return MaskBook(best[1], by_track=by_track)
    return None


def _fit(layer: Any, tracks: EditableTracks, *, by_track: bool) -> float:
    """Return the share of positions with the right value, among those with any.

    Positions of all frames are looked at: in the first, labels are often numbered as the tracks.
    """
    book = MaskBook(layer, by_track=by_track)
    rows = tracks.alive_rows()
    right = wrong = 0
    for row in map(int, rows[:: max(1, len(rows) // _SAMPLE)]):
        frame, value = int(tracks["frame"][row]), book.value(tracks, row)
        y, x = round(float(tracks["y_px"][row])), round(float(tracks["x_px"][row]))
        shape = layer.data.shape
        if not (0 <= frame < shape[0] and 0 <= y < shape[1] and 0 <= x < shape[2]):
            continue
        seen = int(layer.data[frame, y, x])
        # the middle of a curved mitochondrion may lie beside it
        right, wrong = right + (seen == value != 0), wrong + (seen not in (0, value))
    return right / max(1, right + wrong)


def cut_out(plane: np.ndarray, y: float, x: float, half: int) -> np.ndarray:
    """Return the square of 2 `half` + 1 pixels around (y, x), zero beyond the border."""
    side = 2 * half + 1
    top, left = round(y) - half, round(x) - half
    result = np.zeros((side, side), plane.dtype)
    rows = slice(max(0, top), min(plane.shape[0], top + side))
    columns = slice(max(0, left), min(plane.shape[1], left + side))
    if rows.stop > rows.start and columns.stop > columns.start:
        inside = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        result[inside] = plane[rows, columns]
    return result
