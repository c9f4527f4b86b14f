"""A random sample of tracks or links, judged with the keys in the track inspector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtGui import QShortcut

from napari_virtualstain.plugin.inspect.dock import InspectorWidget

from .. import inspected


@pytest.mark.parametrize("what", ["tracks", "links"])
def test_a_random_sample_is_judged_with_the_keys_and_reported_with_its_seed(
    widget: InspectorWidget, tmp_path: Path, what: str
) -> None:
    inspected.press(widget, "sample")
    panel = widget.sample
    panel.what.value = what
    panel.count.setValue(3)
    panel.seed.setValue(7)
    inspected.press(widget, "draw")
    drawn = list(panel.sample.items)
    assert len(drawn) == 3
    keys = {made.key().toString(): made for made in widget.findChildren(QShortcut)}
    for place, key in enumerate("121"):
        assert widget.selection.track_id == drawn[place][0]
        if what == "links":
            assert widget.viewer.dims.point[0] == pytest.approx(2.0 * drawn[place][1])
        keys[key].activated.emit()
    assert "2 of 3 right: 67 % (21 to 94 %)" in panel.text.text()
    assert "The sample is judged" in widget.status_label.text()
    (tmp_path / "sample.md").write_text("of an earlier sample")
    panel.save(tmp_path / "sample.md")
    report = (tmp_path / "sample.md").read_text(encoding="utf-8")
    assert "seed 7" in report
    assert "67 % (21 to 94 %)" in report
    assert report.count("| ok |") == 2
    given = widget.viewer.layers["cell [tracks]"].metadata["verdicts"]
    assert len(given) == (3 if what == "tracks" else 0)
    links = widget.viewer.layers["cell [tracks]"].metadata["link_verdicts"]
    assert len(links) == (3 if what == "links" else 0)
    inspected.press(widget, "undo")
    assert "1 of 2 right" in panel.text.text()
    inspected.press(widget, "redo")
    inspected.press(widget, "draw")
    assert panel.sample.items == drawn
    assert "2 of 3 right" in panel.text.text()


@pytest.mark.parametrize("what", ["tracks", "links"])
def test_a_judged_sample_of_a_killed_session_comes_back_with_its_seed(
    widget: InspectorWidget, qtbot: Any, wait_for: Any, what: str
) -> None:
    widget.sample.what.value = what
    widget.sample.count.setValue(3)
    widget.sample.seed.setValue(7)
    inspected.press(widget, "sample")
    inspected.press(widget, "draw")
    for verdict in ("ok", "wrong"):
        inspected.press(widget, verdict)
    said = widget.sample.text.text()
    assert "1 of 2 right" in said
    # killed here; the same movie and tracks are opened again
    from napari.components import ViewerModel

    again = ViewerModel()
    for layer in list(widget.viewer.layers)[:2]:
        made = layer.as_layer_data_tuple()
        looks = {n: made[1][n] for n in ("name", "scale", "units", "axis_labels")}
        getattr(again, f"add_{made[2]}")(made[0], **looks)
    second = inspected.inspect(again, qtbot, wait_for)
    assert "0 edits and 2 verdicts" in second.notice.text.text()
    second.notice.apply.click()
    assert second.sample.text.text() == said
    assert second.sample.sample.seed == 7
    assert second.sample.sample.items == widget.sample.sample.items
