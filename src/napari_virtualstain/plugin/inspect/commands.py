"""What can be undone in the track inspector: verdicts and edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QUndoCommand

from ...tracking import TrackState
from .track_layer import Pixels, put_back, relabel

if TYPE_CHECKING:
    from .dock import InspectorWidget


class VerdictCommand(QUndoCommand):
    """Gives a track a verdict; undo gives it the one it had."""

    def __init__(self, dock: InspectorWidget, track_id: int, verdict: str) -> None:
        super().__init__(f"{verdict or 'no verdict'} for track {track_id}")
        self._dock, self._track = dock, track_id
        self._before, self._after = dock.verdict_of(track_id), verdict

    def redo(self) -> None:
        """Set the new verdict."""
        self._dock.put_verdict(self._track, self._after)

    def undo(self) -> None:
        """Set the verdict of before."""
        self._dock.put_verdict(self._track, self._before)


class EditCommand(QUndoCommand):
    """Puts other tracks in the place of those of before, and labels that fit them.

    Parameters
    ----------
    dock : InspectorWidget
        Whose tracks are edited.
    text : str
        What is done, for the user.
    after : TrackState
        Result of the edit.
    chosen : int or None
        The track to choose then.
    labels : Labels layer or None
        Whose values are the numbers of the tracks.
    """

    def __init__(
        self,
        dock: InspectorWidget,
        text: str,
        after: TrackState,
        chosen: int | None,
        labels: Any = None,
    ) -> None:
        super().__init__(text)
        self._dock, self._labels = dock, labels
        self._before, self._after = dock.tracks, after
        self._was_chosen, self._chosen = dock.selection.track_id, chosen
        self._pixels: Pixels = []

    def redo(self) -> None:
        """Do the edit."""
        self._dock.put_tracks(self._after, self._chosen)
        if self._labels is not None:
            self._pixels = relabel(self._labels, self._before, self._after)
        self._dock.say(f"{self.text()}. Undo with Ctrl+Z.")

    def undo(self) -> None:
        """Go back to the tracks of before."""
        self._dock.put_tracks(self._before, self._was_chosen)
        if self._labels is not None:
            put_back(self._labels, self._pixels)
        self._dock.say(f"Undone: {self.text()}.")
