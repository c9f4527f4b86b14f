from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain import evaluate
from napari_virtualstain.plugin.evaluate.dock import EvaluateWidget

SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> EvaluateWidget:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 255, (3, 64, 64)).astype(np.uint8)
    viewer_model.add_image(truth, name="cell mCherry", **SCALE)
    made = (truth + rng.normal(0, 20, truth.shape)).astype(np.float32)
    viewer_model.add_image(made, name="cell [fluorescence]", **SCALE)
    dock = EvaluateWidget(viewer_model)
    qtbot.addWidget(dock)
    return dock


def test_the_table_is_the_engines_and_goes_to_the_frame(
    widget: EvaluateWidget, wait_for: Any, tmp_path: Path
) -> None:
    assert widget.predicted.currentText() == "cell [fluorescence]"
    assert widget.reference.currentText() == "cell mCherry"
    widget.run_button.click()
    wait_for(widget, "done")
    layers = widget.viewer.layers
    expected = evaluate(layers[1].data, layers[0].data, pixel_size_um=0.08)
    np.testing.assert_allclose(widget.table.frame["pearson"], expected["pearson"])
    widget.table.row_entered.emit(2)
    assert widget.viewer.dims.point[0] == pytest.approx(4.0)
    widget.save(tmp_path / "metrics.csv")
    np.testing.assert_allclose(pd.read_csv(tmp_path / "metrics.csv")["ssim"], expected["ssim"])


def test_a_report_is_written_where_asked(
    widget: EvaluateWidget, wait_for: Any, tmp_path: Path
) -> None:
    widget.write_report(tmp_path / "report")
    wait_for(widget, "done", "failed")
    assert widget.state == "done", widget.status_label.text()
    assert (tmp_path / "report" / "report.html").exists()


def test_unlike_layers_are_not_compared(widget: EvaluateWidget) -> None:
    widget.reference.value = widget.viewer.add_image(np.zeros((3, 10, 10)), name="small")
    assert "unlike shapes" in widget.run_button.toolTip()
    widget.reference.value = widget.predicted.value
    assert "Both layers are the same" in widget.run_button.toolTip()
