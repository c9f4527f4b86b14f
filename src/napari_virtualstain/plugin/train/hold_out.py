"""Form rows for choosing the held-out data, and the search for pixels that also train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QFormLayout

from ...progress import CancelToken
from ...settings import fields_of
from ..kit.controls import Choice, IntegerBox, add_row, note
from ..kit.jobs import JobContext, JobRunner, Outcome
from ..kit.settings_form import SettingsForm
from .dock_settings import ALLOW_SHARED, DockSettings, HeldOutBy
from .drawn_regions import DrawnRegion
from .sources import PairSource, held_out_regions

_IN_TURN = " in turn"
_PAUSE_MS = 400  # regions are looked at when the hand rests
_MOST_PIXELS = 2**24  # about three seconds; larger sets are looked at when they train


class HoldOutChoice(QObject):
    """Rows `Hold out` and `Folds`, and the permission to judge on pixels that also train.

    Until the user chooses, the most independent part there is is proposed: another pair,
    another region, later frames.

    Parameters
    ----------
    form : QFormLayout
        Receives the rows.
    """

    changed = Signal()

    def __init__(self, form: QFormLayout) -> None:
        super().__init__()
        self._picked = False
        self.kind = Choice(
            [
                ("the last frames", "time"),
                ("marked or last region", "region"),
                ("the last pair", "pair"),
                ("frames in turn", f"time{_IN_TURN}"),
                ("regions in turn", f"region{_IN_TURN}"),
                ("pairs in turn", f"pair{_IN_TURN}"),
            ]
        )
        self.setParent(self.kind)  # dies with the dock, in the GUI thread
        tooltip = (
            "What the model never sees and is judged on; only another cell says something about "
            "the next cell. In turn (cross-validation): each part is judged by a model that has "
            "not seen it, and the model that you get is trained on all"
        )
        label = add_row(form, "Hold out", self.kind, tooltip, name="hold_out")
        self._rows = (label, self.kind)
        self._is_shown = True
        self.count = IntegerBox(5, 2, 99)
        field = fields_of(DockSettings)["folds"]
        self._count_label = add_row(
            form, field.title, self.count, field.description, name=field.name
        )
        self._meaning = note(name="folds_meaning")
        form.addRow(self._meaning)
        self.rows = SettingsForm(DockSettings, form, names=["allow_leakage"])
        self.shared = self.rows["allow_leakage"].native
        form.takeRow(self.shared)
        form.addRow("", self.shared)  # below the field that it belongs to
        self.kind.currentIndexChanged.connect(self._on_picked)
        self.kind.currentIndexChanged.connect(self._on_changed)
        self.count.valueChanged.connect(self._on_changed)
        self.shared.toggled.connect(self._on_changed)
        self.follow(0, "")

    def show_rows(self, shown: bool) -> None:
        """Show the rows, or hide them where simulated scenes judge."""
        self._is_shown = shown
        for widget in (*self._rows, self.shared):
            widget.setVisible(shown)

    @property
    def by(self) -> HeldOutBy:
        """What is held out: frames, regions or a pair."""
        kinds: dict[str, HeldOutBy] = {"time": "time", "region": "region", "pair": "pair"}
        return kinds[self.kind.value.removesuffix(_IN_TURN)]

    @property
    def folds(self) -> int | None:
        """How many parts are held out in turn at most; None holds one out, once."""
        return self.count.value() if self.kind.value.endswith(_IN_TURN) else None

    def load(self, settings: DockSettings) -> None:
        """Show what settings hold out."""
        self._picked = True
        self.kind.value = settings.by + (_IN_TURN if settings.folds else "")
        self.count.setValue(settings.folds or self.count.value())

    def suggest(self, by: Literal["time", "region", "pair"]) -> None:
        """Choose what to hold out, unless the user has."""
        if not self._picked and self.folds is None and self.by != by:
            blocked = self.kind.blockSignals(True)
            self.kind.value = by
            self.kind.blockSignals(blocked)

    def follow(self, parts: int, each: str) -> None:
        """Say what is going to be trained on `parts` frames, regions or pairs.

        Parameters
        ----------
        parts : int
            How many there are.
        each : str
            How long each training is, such as ``"500 steps"``.
        """
        asked = self.folds
        for widget in (self.count, self._count_label, self._meaning):
            widget.setVisible(asked is not None and self._is_shown)
        if asked is not None:
            folds = max(2, min(asked, parts))
            self._meaning.setText(
                f"Cross-validation: {folds} models are judged, each on what it has not seen; one "
                f"more, trained on all, is kept. {folds + 1} trainings of {each}."
            )

    def _on_picked(self, _index: int) -> None:
        self._picked = True

    def _on_changed(self, _value: object) -> None:
        self.changed.emit()


class SharedPixelsCheck(QObject):
    """Search in the background for pixels of held-out regions that also train.

    The crops of some data sets overlap from frame to frame, so that regions which lie apart
    show the same place. A training would refuse them, but only after it has begun.

    Signals
    -------
    found : str
        Why the regions cannot judge.
    """

    found = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.why_not: str | None = None
        self._asked: Any = None
        self._sources: tuple[PairSource, ...] = ()
        self._in_turn = False
        self._runner = JobRunner(self)
        self._runner.conclude = self._conclude
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._look)

    def follow(self, sources: tuple[PairSource, ...], hold_out: HoldOutChoice) -> None:
        """Look again where regions or what is held out have changed."""
        wanted = hold_out.by == "region" and not hold_out.shared.isChecked()
        wanted = wanted and all(source.fluorescence is not None for source in sources)
        if not wanted or not 0 < _pixels_of(sources) <= _MOST_PIXELS:
            sources = ()
        asked = [(id(s.fluorescence), s.frames, s.regions) for s in sources], hold_out.folds
        if asked == self._asked:
            return
        self._asked, self._sources, self._in_turn = asked, sources, hold_out.folds is not None
        self.why_not = None
        self._runner.cancel()
        self._timer.stop()
        if sum(len(source.regions) for source in sources) > 1:
            self._timer.start()

    def canceller(self) -> Callable[[], None]:
        """Return a function that stops the search and touches no Qt object."""
        return self._runner.canceller()

    def abandon(self) -> None:
        """Stop the search for good."""
        self._timer.stop()
        self._runner.abandon()

    def _look(self) -> None:
        if self._runner.state.is_active:  # it was cancelled, and ends soon
            self._timer.start()
            return
        asked, sources, in_turn = self._asked, self._sources, self._in_turn

        def work(context: JobContext) -> Any:
            return asked, why_shared(sources, in_turn=in_turn, cancel=context.cancel)

        self._runner.start(work, "Look for shared pixels")

    def _conclude(self, outcome: Outcome) -> Outcome:
        if outcome.error is None and outcome.value[0] == self._asked:
            self.why_not = outcome.value[1]
            if self.why_not is not None:
                self.found.emit(self.why_not)
        # what cannot be read is said by the training
        return Outcome() if outcome.error is not None else outcome


def why_shared(
    sources: tuple[PairSource, ...], *, in_turn: bool, cancel: CancelToken | None = None
) -> str | None:
    """Return which regions show the same pixels on both sides, None where none do.

    Parameters
    ----------
    sources : tuple of PairSource
        With regions.
    in_turn : bool
        Whether each region judges in turn; otherwise the marked or the last one judges.
    cancel : CancelToken, optional
        Looked at before each plane.
    """
    from ...data import cut, find_shared_pixels, stored_plane

    held_out = {id(region) for _, region in held_out_regions(sources)}
    images: list[np.ndarray] = []
    places: list[tuple[object, str]] = []
    for source in sources:
        for region in source.regions:
            side = id(region) if in_turn else id(region) in held_out
            for index in np.ndindex(*source.fluorescence.shape[:-2]):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                if region.frame is None or region.frame == _frame_at(source, index):
                    y0, x0, y1, x1 = region.box
                    whole = stored_plane(source.fluorescence, index)
                    images.append(cut(whole, slice(y0, y1), slice(x0, x1)))
                    places.append((side, _place(source, region, index)))
    crossing = [
        pair
        for pair in find_shared_pixels(images, cancel=cancel)
        if places[pair.first][0] != places[pair.second][0]
    ]
    if not crossing:
        return None
    worst = max(crossing, key=lambda pair: pair.share)
    first, second = places[worst.first][1], places[worst.second][1]
    return (
        f"{second[0].upper()}{second[1:]} shows {worst.share:.0%} of the pixels of {first}: the "
        f"model would be judged on pixels that trained it. Draw the regions apart, hold out "
        f"another cell, or tick {ALLOW_SHARED}."
    )


def _pixels_of(sources: tuple[PairSource, ...]) -> int:
    return sum(
        source.planes * region.size[0] * region.size[1]
        for source in sources
        for region in source.regions
    )


def _frame_at(source: PairSource, index: tuple[int, ...]) -> int:
    """Return the bright-field frame that a fluorescence plane belongs to."""
    time = index[source.axes.index("t")] if "t" in source.axes else 0
    return time if source.frames is None else source.frames[time]


def _place(source: PairSource, region: DrawnRegion, index: tuple[int, ...]) -> str:
    where = f"region {region.number} of {source.name!r}"
    return f"{where} in frame {_frame_at(source, index)}" if "t" in source.axes else where
