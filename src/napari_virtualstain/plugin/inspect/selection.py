"""Which mitochondrion is looked at, and when: one model that table, film and viewer share."""

from __future__ import annotations

from psygnal import Signal


class Selection:
    """The chosen track and frame; knows neither Qt nor napari.

    Examples
    --------
    >>> selection = Selection()
    >>> seen = []
    >>> slot = selection.changed.connect(lambda track, frame: seen.append((track, frame)))
    >>> selection.choose(3, 7); selection.choose(3, 7)
    >>> seen
    [(3, 7)]
    """

    changed = Signal(object, object)

    def __init__(self) -> None:
        self.track_id: int | None = None
        self.frame: int | None = None

    def choose(self, track_id: int | None, frame: int | None = None) -> None:
        """Choose a track, and a frame of it; tells the others if this is news."""
        if (track_id, frame) != (self.track_id, self.frame):
            self.track_id, self.frame = track_id, frame
            self.changed.emit(track_id, frame)
