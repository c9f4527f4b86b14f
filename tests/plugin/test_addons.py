"""The example package's generator, segmenter and tracker in the docks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.hooks import EXTENSIONS
from napari_virtualstain.plugin.run_all.many_dock import RunManyWidget
from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.stain.dock import StainWidget
from napari_virtualstain.plugin.track.dock import TrackWidget

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "virtualstain-example-plugin" / "src"
SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    from virtualstain_example_plugin import hooks

    EXTENSIONS.register(hooks, "example-in-test")
    yield
    EXTENSIONS.unregister("example-in-test")
    for name in [name for name in sys.modules if name.startswith("virtualstain_example_plugin")]:
        del sys.modules[name]


def test_all_three_are_offered_and_work_in_a_row(
    qtbot: Any, viewer_model: Any, wait_for: Any
) -> None:
    movie = np.full((4, 64, 64), 200.0, np.float32)
    for frame in range(4):
        movie[frame, 20:30, 10 + frame : 25 + frame] = 50.0
    viewer_model.add_image(movie, name="cell bright-field", **SCALE)
    docks: list[Any] = []
    for dock, choose in (
        (StainWidget, lambda w: setattr(w.model, "value", "example: dark is bright")),
        (SegmentWidget, lambda w: setattr(w.model, "value", "example: Otsu")),
        (TrackWidget, lambda w: setattr(w.settings["linker"], "value", "addon:example: nearest")),
    ):
        widget = dock(viewer_model)
        qtbot.addWidget(widget)
        choose(widget)
        if dock is SegmentWidget:
            assert not widget.settings["threshold"].native.isEnabled()
            assert "add-on" in widget.settings["threshold"].native.toolTip()
        widget.run_button.click()
        wait_for(widget)
        assert widget.state == "done", widget.status_label.text()
        if dock is StainWidget:  # nobody knows what an add-on was made for
            assert widget.fit_note.isHidden()
            assert widget.status_label.text().endswith(" s.")
        docks.append(widget)
    viewer_model.layers["segmented · cell bright-field [mitochondria]"].paint((0, 5, 5), 9)
    assert not docks[1].learn_button.isEnabled()  # an add-on cannot be trained
    tracks = viewer_model.layers["tracked · cell bright-field [tracks]"]
    assert set(tracks.data[:, 0]) == {tracks.data[0, 0]}
    np.testing.assert_allclose(tracks.data[:, 3], 17 + np.arange(4), atol=0.51)


def test_settings_that_an_add_on_lacks_are_not_offered_for_many_movies_either(
    qtbot: Any, viewer_model: Any
) -> None:
    widget = RunManyWidget(viewer_model)
    qtbot.addWidget(widget)
    threshold = widget.steps.segment["threshold"].native
    assert threshold.isEnabled()
    widget.steps.segmenter.value = "example: Otsu"
    assert not threshold.isEnabled()
    widget.steps.segmenter.value = "mito-segment"
    assert threshold.isEnabled()
