"""OpenVINO, which is optional, as one of the devices that tests run on."""

from __future__ import annotations

import pytest

from napari_virtualstain.engine.devices import has_openvino

needs_openvino = pytest.mark.skipif(
    not has_openvino(), reason="OpenVINO is not installed: pip install openvino"
)
PROCESSORS = ["cpu", pytest.param("openvino", marks=needs_openvino)]
