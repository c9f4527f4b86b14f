"""Rows for what is held out, and the search for shared pixels behind them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_virtualstain.plugin.train import hold_out
from napari_virtualstain.plugin.train.dock_settings import DockSettings
from napari_virtualstain.plugin.train.drawn_regions import DrawnRegion
from napari_virtualstain.plugin.train.hold_out import (
    HoldOutChoice,
    SharedPixelsCheck,
    why_shared,
)
from napari_virtualstain.plugin.train.sources import PairSource


@pytest.fixture
def rows(qtbot: Any) -> HoldOutChoice:
    widget = QWidget()
    qtbot.addWidget(widget)
    made = HoldOutChoice(QFormLayout(widget))
    made.window = widget
    return made


def _meaning(rows: HoldOutChoice) -> str:
    label = rows.window.findChild(QLabel, "folds_meaning")
    return "" if label.isHidden() else str(label.text())


@pytest.mark.parametrize(
    ("folds", "parts", "models"), [(5, 8, 5), (5, 5, 5), (5, 4, 4), (5, 1, 2), (2, 8, 2)]
)
def test_there_are_as_many_models_as_parts_up_to_the_folds_asked_for(
    rows: HoldOutChoice, folds: int, parts: int, models: int
) -> None:
    rows.follow(parts, "60 steps")
    assert _meaning(rows) == ""  # one part is held out, once
    rows.kind.value = "time in turn"
    rows.count.setValue(folds)
    rows.follow(parts, "60 steps")
    assert f"{models} models are judged" in _meaning(rows)
    assert _meaning(rows).endswith(f"{models + 1} trainings of 60 steps.")
    rows.show_rows(False)
    rows.follow(parts, "60 steps")
    assert _meaning(rows) == ""
    assert rows.kind.isHidden()


def test_a_proposal_is_made_until_the_user_or_a_file_has_chosen(qtbot: Any) -> None:
    def fresh() -> HoldOutChoice:
        widget = QWidget()
        qtbot.addWidget(widget)
        made = HoldOutChoice(QFormLayout(widget))
        made.window = widget  # keeps it
        return made

    proposed, picked, loaded = fresh(), fresh(), fresh()
    heard: list[str] = []
    proposed.changed.connect(lambda: heard.append(proposed.by))
    for by in ("pair", "region"):
        proposed.suggest(by)
        assert (proposed.by, proposed.folds) == (by, None)
    assert heard == []  # nobody has changed anything
    picked.kind.value = "region"
    picked.suggest("pair")
    assert picked.by == "region"
    loaded.load(DockSettings(pixel_size_um=0.08, by="time", folds=3))
    loaded.suggest("pair")
    assert (loaded.by, loaded.folds) == ("time", 3)
    loaded.load(DockSettings(pixel_size_um=0.08, by="time"))
    loaded.suggest("pair")
    assert (loaded.by, loaded.folds) == ("time", None)
    loaded.kind.value = "time in turn"
    assert loaded.folds == 3  # what was asked for is still there


def _source(*regions: DrawnRegion, planes: int = 4, glow: Any = True) -> PairSource:
    unread = np.broadcast_to(np.float32(0), (planes, 4096, 4096))
    return PairSource("cell", unread, unread if glow else None, "tyx", regions=regions)


def _choice(by: str = "region", folds: int | None = None, shared: bool = False) -> Any:
    return SimpleNamespace(by=by, folds=folds, shared=SimpleNamespace(isChecked=lambda: shared))


ONE, TWO = DrawnRegion(1, (0, 0, 1024, 1024)), DrawnRegion(2, (1024, 0, 2048, 1024))


@pytest.mark.parametrize(
    ("source", "choice", "is_looked_at"),
    [
        (_source(ONE, TWO), _choice(), True),
        (_source(ONE, TWO, planes=8), _choice(), True),  # as much as is read in three seconds
        (_source(ONE, TWO, planes=9), _choice(), False),  # the training will look
        (_source(ONE, TWO, glow=False), _choice(), False),
        (_source(ONE), _choice(), False),  # nothing that could judge it
        (_source(ONE, TWO), _choice(shared=True), False),
        (_source(ONE, TWO), _choice(by="time"), False),
    ],
)
def test_regions_are_searched_where_one_judges_another(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch, source: Any, choice: Any, is_looked_at: bool
) -> None:
    monkeypatch.setattr(hold_out, "_PAUSE_MS", 0)
    monkeypatch.setattr(hold_out, "why_shared", lambda *_, **__: "They show the same.")
    parent = QWidget()
    qtbot.addWidget(parent)
    check = SharedPixelsCheck(parent)
    check.follow((source,), choice)
    if is_looked_at:
        qtbot.waitUntil(lambda: check.why_not == "They show the same.", timeout=5000)
        check.follow((source,), choice)
        assert check.why_not is not None  # nothing has changed
        check.follow((source,), _choice(folds=2))
        assert check.why_not is None  # it is looked at anew
    else:
        qtbot.wait(30)
        assert check.why_not is None
    check.abandon()


def test_a_pair_without_fluorescence_beside_another_is_not_searched(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_out, "_PAUSE_MS", 0)
    monkeypatch.setattr(hold_out, "why_shared", lambda *_, **__: pytest.fail("has no pixels"))
    parent = QWidget()
    qtbot.addWidget(parent)
    check = SharedPixelsCheck(parent)
    check.follow((_source(ONE, TWO, glow=False), _source(ONE, TWO)), _choice())
    qtbot.wait(30)
    assert check.why_not is None


def test_the_largest_common_part_is_named() -> None:
    images = np.random.default_rng(0).normal(size=(1, 120, 120))
    first = DrawnRegion(1, (0, 0, 60, 60))
    little, much = DrawnRegion(2, (48, 0, 108, 60)), DrawnRegion(3, (12, 0, 72, 60))
    source = PairSource("cell", images, images, "tyx", regions=(first, little, much))
    said = why_shared((source,), in_turn=True)
    assert said is not None
    # of 60 rows the third and the first share 48, the second and the first 12
    assert "80% of the pixels" in said
    assert "egion 3 of 'cell'" in said
    assert "egion 1 of 'cell'" in said


def test_regions_of_other_frames_show_other_pixels() -> None:
    """A region of one frame is looked at in that frame alone, also in sparse fluorescence."""
    images = np.random.default_rng(0).normal(size=(3, 40, 40))
    box = (0, 0, 30, 30)
    apart = DrawnRegion(1, box, frame=4), DrawnRegion(2, box, frame=8)
    frames = (0, 4, 8)
    source = PairSource("cell", images, images, "tyx", frames=frames, regions=apart)
    assert why_shared((source,), in_turn=True) is None
    same = DrawnRegion(1, box, frame=4), DrawnRegion(2, box, frame=4)
    source = PairSource("cell", images, images, "tyx", frames=frames, regions=same)
    said = why_shared((source,), in_turn=True)
    assert said is not None
    assert "in frame 4 shows 100%" in said
    flat = PairSource("dish", images[0], images[0], "yx", regions=(ONE_SMALL, OTHER_SMALL))
    said = why_shared((flat,), in_turn=True)
    assert said is not None
    assert "frame" not in said


ONE_SMALL, OTHER_SMALL = DrawnRegion(1, (0, 0, 30, 30)), DrawnRegion(2, (10, 0, 40, 30))
