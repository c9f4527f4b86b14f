"""Buttons of the inspector: what they offer, say, and leave on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.sampling.sample_judging import RandomSample
from napari_virtualstain.tracking import EditableTracks

from .. import inspected


def _partners(widget: InspectorWidget) -> list[str]:
    box = widget.buttons.partner
    return [box.itemText(place) for place in range(box.count())]


def _button(widget: Any, name: str) -> QPushButton:
    return widget.findChild(QPushButton, name)


def test_partners_are_named_with_gap_side_and_distance(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer_model)  # 2 ends in frame 9, 1 um above 3 and 2 um above 4
    widget = inspected.inspect(viewer_model, qtbot, wait_for)
    inspected.choose(widget, 2)
    assert _partners(widget) == ["3: directly after, 1 µm away", "4: directly after, 2 µm away"]
    inspected.choose(widget, 3)
    assert _partners(widget)[0] == "2: directly before, 1 µm away"
    for frame, gap in ((10, "1 frame"), (11, "2 frames")):
        viewer_model.dims.set_point(0, 2.0 * frame)
        inspected.press(widget, "not_here")
        assert f"2: {gap} before, 1 µm away" in _partners(widget)
    assert _button(widget, "join_with").isEnabled()
    widget.model.choose(None)
    assert _partners(widget) == []


def test_where_no_track_can_be_joined_the_button_says_so(widget: InspectorWidget) -> None:
    inspected.choose(widget, 1)  # all three are in all frames
    join = _button(widget, "join_with")
    assert not join.isEnabled()
    assert join.toolTip().startswith("No track ends before this one begins")
    assert _button(widget, "cut_here").isEnabled()
    widget.mending.join(None)
    assert not widget.model.undo_text


def test_history_and_undo_are_on_while_there_is_something(widget: InspectorWidget) -> None:
    def on() -> list[str]:
        names = ("back", "forward", "undo", "redo")
        return [name for name in names if _button(widget, name).isEnabled()]

    assert on() == []
    inspected.choose(widget, 1)
    inspected.choose(widget, 2)
    assert on() == ["back"]
    inspected.press(widget, "back")
    assert on() == ["forward"]
    assert _button(widget, "undo").toolTip() == "Nothing"
    inspected.press(widget, "ok")
    assert _button(widget, "undo").toolTip() == "Undo: ok for track 1 (Ctrl+Z)"
    inspected.press(widget, "undo")
    assert _button(widget, "redo").toolTip() == "Redo: ok for track 1 (Ctrl+Shift+Z)"
    assert on() == ["forward", "redo"]


def test_one_click_is_waited_for_at_a_time(widget: InspectorWidget) -> None:
    add, move = (_button(widget, f"{kind}_by_click") for kind in ("add", "move"))
    assert not move.isEnabled()
    inspected.choose(widget, 1)
    assert move.isEnabled()
    for pressed, placing, states in (
        (add, "add", (True, False)),
        (move, "move", (False, True)),
        (move, None, (False, False)),
        (add, "add", (True, False)),
    ):
        pressed.click()
        assert widget.mending.placing == placing
        assert (add.isChecked(), move.isChecked()) == states
    widget.say("")
    widget.buttons.stop_placing()
    assert widget.status_label.text() == "Nothing was placed."
    assert not add.isChecked()
    widget.say("")
    widget.buttons.stop_placing()  # nothing is waited for any more
    assert widget.status_label.text() == ""


@pytest.mark.parametrize("what", ["tracks", "links"])
def test_a_sample_leaves_out_what_was_filled_in_and_has_no_more_than_there_is(what: str) -> None:
    rows = [(k, t, 5.0 * k, 1.0 * t, k == 2 and t == 1) for k in (1, 2) for t in range(3)]
    names = ["track_id", "frame", "y_px", "x_px", "interpolated"]
    tracks = EditableTracks(pd.DataFrame(rows, columns=names))
    sample = RandomSample.draw(tracks, what, 30, 5)
    assert sample.population == 2
    if what == "tracks":
        assert sorted(sample.items) == [(1, -1), (2, -1)]
    else:
        assert sorted(sample.items) == [(1, 1), (1, 2), (2, 2)]
    assert sample.text() == f"0 of {len(sample.items)} {what} judged"
    assert not sample.is_done
    assert RandomSample.draw(tracks, what, 1, 5).items == sample.items[:1]
    first, *others = sample.items
    assert sample.following(None) == first
    assert sample.following(first) == others[0]
    links = {first: "ok"} if what == "links" else {}
    sample.look_up({first[0]: "ok"} if what == "tracks" else {}, links)
    assert sample.following(others[-1]) == others[0]  # round, past the one that is judged
    sample.look_up(dict.fromkeys((1, 2), "unsure"), dict.fromkeys(sample.items, "unsure"))
    assert sample.following(first) is None
    assert sample.is_done
    assert sample.text() == f"{len(sample.items)} of {len(sample.items)} {what} judged"
    report = sample.report("cell").splitlines()
    assert (
        f"- Judged: {len(sample.items)}, of which unsure and not counted: {len(sample.items)}"
        in report
    )
    lines = {f"| {t} | {f if what == 'links' else ''} | unsure |" for t, f in sample.items}
    assert lines <= set(report)
    again = RandomSample.from_record(sample.to_record())
    assert (again.what, again.seed, again.population) == (what, 5, 2)
    assert again.items == sample.items


def test_a_report_is_of_a_sample_and_says_what_went_wrong(
    widget: InspectorWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(
        ["", str(tmp_path / "a.md"), str(tmp_path / "a.md" / "b.md"), str(tmp_path / "c.md")]
    )
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_a: (next(answers), ""))
    panel = widget.sample
    assert panel.isHidden()
    inspected.press(widget, "sample")
    assert not panel.isHidden()
    panel.advance()  # nothing was drawn
    assert widget.selection.track_id is None
    for said in ("", "Draw a sample first."):
        inspected.press(panel, "sample_report")
        assert panel.text.text() == said
    inspected.press(widget, "draw")
    (tmp_path / "a.md").touch()
    inspected.press(panel, "sample_report")
    assert "b.md" in panel.text.text() or "a.md" in panel.text.text()
    assert "Saved" not in panel.text.text()
    inspected.press(panel, "sample_report")
    assert panel.text.text() == "Saved c.md. 0 of 3 tracks judged"
    assert (tmp_path / "c.md").read_text(encoding="utf-8").startswith("# Random sample of tracks")
