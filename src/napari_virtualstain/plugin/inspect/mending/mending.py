"""Edits of the chosen track, one for each button of the inspector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from psygnal import Signal

from ....errors import VirtualStainError
from ...kit.jobs import error_text
from ..film.cells import FilmSource
from ..host import Host
from ..mask_book import Patch


class Mending:
    """Edits of the chosen track; the host shows why an edit is impossible.

    Parameters
    ----------
    host : Host
        Whose tracks are edited.
    sources : callable
        Returns the images that masks are grown from.

    Attributes
    ----------
    placing : {"add", "move"} or None
        What the next click on the canvas does.
    """

    placing_ended = Signal()

    def __init__(self, host: Host, sources: Callable[[], list[FilmSource]]) -> None:
        self._host, self._sources = host, sources
        self.placing: str | None = None

    def try_edit(self, action: str, **arguments: Any) -> bool:
        """Edit the tracks; say what was done, or why it cannot be done."""
        try:
            change = self._host.model.edit(action, **arguments)
        except VirtualStainError as error:
            self._host.say(error_text(error))
            return False
        self._host.say(f"{self._host.model.undo_text or change.text}. Undo with Ctrl+Z.")
        return True

    def cut(self) -> None:
        """End the chosen track before the visible frame; the rest becomes a new track."""
        host = self._host
        if (track := host.chosen()) is not None:
            # a number that was ever judged must not come back for another track
            number = max(host.model.tracks.next_id(), 1 + max(host.model.verdicts, default=0))
            self.try_edit("cut", track_id=track, frame=host.frame(), number=number, chosen=track)

    def join(self, other: int | None) -> None:
        """Make the chosen track and another one track."""
        host = self._host
        track = host.chosen()
        if track is not None and other is not None:
            earlier = min(track, other, key=host.model.tracks.extent)
            self.try_edit("join", first=track, second=other, chosen=earlier)

    def swap(self) -> None:
        """Exchange the chosen and the second selected track from the visible frame on."""
        host = self._host
        if (track := host.chosen()) is None:
            return
        also = host.model.selection.also
        if len(also) != 1:
            host.say("Select two tracks in the table (Ctrl+click): they swap from this frame on.")
            return
        self.try_edit("swap", first=track, second=also[0], frame=host.frame(), chosen=track)

    def delete(self) -> None:
        """Remove the chosen track."""
        if (track := self._host.chosen()) is not None:
            self.try_edit("delete", track_id=track)

    def remove_here(self) -> None:
        """Remove the chosen track from the visible frame."""
        if (track := self._host.chosen()) is not None:
            self.try_edit("remove_detection", track_id=track, frame=self._host.frame())

    def fill(self) -> None:
        """Fill the gaps of the chosen track."""
        if (track := self._host.chosen()) is not None:
            self.try_edit("fill_gaps", track_id=track)

    def begin_placing(self, kind: str | None) -> None:
        """Let the next click on the canvas add or move a detection."""
        self.placing = kind
        if kind == "add":
            track = self._host.model.selection.track_id
            whose = "a mitochondrion" if track is None else f"track {track}"
            where = "" if track is None else " Where it is seen already, a new track begins."
            self._host.say(f"Click where {whose} is missing in this frame.{where} Esc ends this.")
        elif kind == "move":
            self._host.say("Click where the chosen mitochondrion is in this frame. Esc ends this.")

    def place(self, frame: int, y: float, x: float, plane: float | None = None) -> None:
        """Add or move a detection, with a mask grown from the stain or a disc.

        Parameters
        ----------
        frame : int
            Frame that was clicked in.
        y, x : float
            Place, pixels.
        plane : float or None
            Plane on show, for tracks of a z-stack.
        """
        host, tracks, masks = self._host, self._host.model.tracks, self._host.model.masks
        chosen = host.model.selection.track_id
        kind = self.placing
        owner = masks.track_at(tracks, frame, y, x) if masks is not None else None
        if owner is not None and (kind, owner) != ("move", chosen):
            host.say(
                f"Track {owner} is here in this frame already. Click beside it, or press Esc and "
                "split its mask (M) or join the tracks (J)."
            )
            return
        self.placing = None
        self.placing_ended.emit()
        patch = self._mask_at(frame, y, x, chosen if kind == "move" else None)
        values: dict[str, Any] = _middle(patch)
        if "z_px" in tracks.columns and plane is not None:
            values["z_px"] = plane
        if kind == "move":
            values |= self._measures(patch)
            if (track := host.chosen()) is None:
                return
            self.try_edit("move", track_id=track, frame=frame, patch=patch, chosen=track, **values)
            return
        row = tracks.row_at(chosen, frame) if chosen is not None else None
        is_seen = row is not None and not (
            "interpolated" in tracks.columns and tracks["interpolated"][row]
        )
        track = tracks.next_id() if chosen is None or is_seen else chosen
        values |= self._measures(patch, is_new=True)
        self.try_edit(
            "add_detection", track_id=track, frame=frame, patch=patch, chosen=track, **values
        )

    def split(self) -> None:
        """Split the mask of the chosen mitochondrion in this frame at its narrowest place."""
        host, model = self._host, self._host.model
        if (track := host.chosen()) is None:
            return
        from .grow_mask import halves

        frame = host.frame()
        row = model.tracks.row_at(track, frame)
        mask = None
        if row is not None and model.masks is not None:
            mask = model.masks.mask(model.tracks, row, 80)
        if row is None or mask is None or not mask.any():
            host.say("The chosen mitochondrion has no mask in this frame.")
            return
        top = round(float(model.tracks["y_px"][row])) - 80
        left = round(float(model.tracks["x_px"][row])) - 80
        parts = halves(mask)
        if parts is None:
            host.say("The mask is too small to be split.")
            return
        kept, new = (Patch(frame, top, left, part) for part in parts)
        number = model.tracks.next_id()
        first = {**_middle(kept), **self._measures(kept)}
        second = {**_middle(new), **self._measures(new, is_new=True)}
        both: dict[str, Any] = {"frame": frame, "chosen": track}
        both["text"] = f"Split track {track} in frame {frame}; the other part is {number}"
        if self.try_edit("move", track_id=track, patch=kept, **both, **first):
            self.try_edit(
                "add_detection", track_id=number, patch=new, with_last=True, **both, **second
            )

    def _mask_at(self, frame: int, y: float, x: float, own: int | None) -> Patch:
        """Return the mask of a click that leaves out all masks but that of track `own`."""
        from .grow_mask import grown  # scipy's filters take a while to import

        model = self._host.model
        images = [s for s in self._sources() if s.name != "bright-field"]
        taken = model.masks.plane(frame) if model.masks is not None else None
        row = model.tracks.row_at(own, frame) if own is not None else None
        if taken is not None and model.masks is not None and row is not None:
            taken = np.where(taken == model.masks.value(model.tracks, row), 0, taken)
        radius, largest = self._usual_sizes()
        source = images[0] if images else None
        return grown(source, frame, y, x, radius, taken=taken, largest_px=largest)

    def _usual_sizes(self) -> tuple[float, float]:
        """Return the radius of a usual mask, and how many pixels the largest may have."""
        tracks, scale = self._host.model.tracks, self._host.model.scale
        areas = tracks["area_um2"] if "area_um2" in tracks.columns else np.zeros(0)
        areas = areas[np.isfinite(areas) & (areas > 0)] / scale.per_pixel**2
        if not len(areas):
            return 4.0, np.inf
        middle, large = np.percentile(areas, [50, 95])
        return max(2.0, float(middle / np.pi) ** 0.5), max(2.0 * float(large), 60.0)

    def _measures(self, patch: Patch, *, is_new: bool = False) -> dict[str, Any]:
        """Return the columns that a mask decides, of those that the tracks have."""
        model = self._host.model
        size_um = model.scale.per_pixel
        where = np.argwhere(patch.mask)
        extent = np.ptp(where, axis=0) + 1
        values: dict[str, Any] = {
            "area_um2": float(len(where)) * size_um**2,
            "height_um": float(extent[0]) * size_um,
            "width_um": float(extent[1]) * size_um,
        }
        masks = model.masks
        if is_new and masks is not None and not masks.by_track:
            values["label"] = masks.new_label(patch.frame)
        return {name: value for name, value in values.items() if name in model.tracks.columns}


def _middle(patch: Patch) -> dict[str, Any]:
    row, column = np.argwhere(patch.mask).mean(axis=0)
    return {"y_px": float(row) + patch.top, "x_px": float(column) + patch.left}
