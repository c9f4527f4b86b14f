"""Selection of mitochondria and frame, shared by all views."""

from __future__ import annotations

from collections.abc import Callable

from psygnal import Signal

_LONGEST = 500


class Selection:
    """The chosen track and frame, further selected tracks, and the history.

    Knows neither Qt nor napari.

    Attributes
    ----------
    exists : callable
        Says whether a track is there; the history passes over tracks that were removed.

    Examples
    --------
    >>> selection = Selection()
    >>> seen = []
    >>> slot = selection.changed.connect(lambda track, frame: seen.append((track, frame)))
    >>> selection.choose(3, 7); selection.choose(3, 7); selection.choose(5)
    >>> selection.back()
    >>> seen
    [(3, 7), (5, None), (3, 7)]
    """

    changed = Signal(object, object)

    def __init__(self) -> None:
        self.track_id: int | None = None
        self.frame: int | None = None
        self.also: tuple[int, ...] = ()
        self.exists: Callable[[int], bool] = lambda _track_id: True
        self._past: list[tuple[int, int | None]] = []
        self._future: list[tuple[int, int | None]] = []

    def choose(
        self,
        track_id: int | None,
        frame: int | None = None,
        also: tuple[int, ...] = (),
        *,
        renew: bool = False,
    ) -> None:
        """Choose a track, a frame and further tracks; notifies views of a change.

        With `renew` they are notified in any case: the track has changed.
        """
        also = tuple(other for other in also if other != track_id)
        if not renew and (track_id, frame, also) == (self.track_id, self.frame, self.also):
            return
        if self.track_id is not None and track_id != self.track_id:
            self._past = [*self._past[-_LONGEST:], (self.track_id, self.frame)]
            self._future = []
        self._set(track_id, frame, also)

    @property
    def tracks(self) -> tuple[int, ...]:
        """All chosen tracks, the current one first."""
        return () if self.track_id is None else (self.track_id, *self.also)

    @property
    def can_go_back(self) -> bool:
        """Whether the history has an earlier track."""
        return any(self.exists(track) for track, _ in self._past)

    @property
    def can_go_forward(self) -> bool:
        """Whether the history has a later track."""
        return any(self.exists(track) for track, _ in self._future)

    def back(self) -> None:
        """Go to the previous track of the history."""
        self._travel(self._past, self._future)

    def forward(self) -> None:
        """Go to the next track of the history."""
        self._travel(self._future, self._past)

    def forget(self) -> None:
        """Clear selection and history, for other tracks."""
        self._past, self._future = [], []
        if self.track_id is not None:
            self._set(None, None, ())

    def _travel(
        self, take: list[tuple[int, int | None]], give: list[tuple[int, int | None]]
    ) -> None:
        place = next((i for i in reversed(range(len(take))) if self.exists(take[i][0])), None)
        if place is None:
            return
        passed, there = take[place + 1 :], take[place]
        del take[place:]
        if self.track_id is not None:
            give.append((self.track_id, self.frame))
        give.extend(reversed(passed))  # an undo may bring these back
        self._set(*there, ())

    def _set(self, track_id: int | None, frame: int | None, also: tuple[int, ...]) -> None:
        self.track_id, self.frame, self.also = track_id, frame, also
        self.changed.emit(track_id, frame)
