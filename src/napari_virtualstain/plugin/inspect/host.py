"""Interface of the inspector dock to its parts.

The parts are given an object of this shape instead of the dock's class, so that the dock imports
its parts and no part imports the dock.
"""

from __future__ import annotations

from typing import Any, Protocol

from .model import InspectorModel


class Host(Protocol):
    """The dock as its parts see it: what is inspected, where the viewer is, and the status line.

    Attributes
    ----------
    viewer : napari.Viewer
        The viewer.
    model : InspectorModel
        Tracks, selection and verdicts.
    """

    viewer: Any
    model: InspectorModel

    @property
    def layer(self) -> Any:
        """The Tracks layer that is listed, None while there is none."""

    def say(self, text: str) -> None:
        """Show a line of text."""

    def say_later(self, text: str) -> None:
        """Show a line of text after what is said of the edit or verdict that is being made."""

    def frame(self) -> int:
        """Return the frame of the tracks that the viewer shows."""

    def chosen(self) -> int | None:
        """Return the chosen track; ask for one and return None while there is none."""

    def go_to(self, track_id: int, frame: int | None = None, *, centre: bool = False) -> None:
        """Choose a track and look at it in a frame."""

    def go_to_worst(self, track_id: int, *, centre: bool = False) -> None:
        """Choose a track and go to its most doubtful frame."""

    def take(self, layer: Any) -> None:
        """List the tracks of another layer."""

    def take_sample(self, record: dict[str, Any]) -> None:
        """Go on with a random sample that was drawn before."""

    def keep_settings(self) -> None:
        """Write the settings of the dock into the layer."""

    def window(self) -> Any:
        """Return the window that dialogs belong to."""
