"""A region is stained as in the whole frame, whatever the pixel size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openvino_device import PROCESSORS
from torch.nn import functional

from napari_virtualstain.engine import NonFiniteWarning, resample
from napari_virtualstain.engine.prepared import _gains_from_bfloat16
from napari_virtualstain.engine.regions import view_of
from napari_virtualstain.engine.resampling import Resampling
from napari_virtualstain.engine.tiling import Box
from napari_virtualstain.errors import InputError
from napari_virtualstain.normalisation import FittedNormalisation
from napari_virtualstain.settings import StainSettings
from napari_virtualstain.staining import Stainer

FITTED = FittedNormalisation(100.0, 10.0)
LENGTHS, SEVERAL = st.integers(1, 90), st.integers(2, 90)


def _frame(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(height + 1000 * width).normal(100, 10, (1, height, width))
    return noise.astype(np.float32)


def _span(data: st.DataObject, length: int) -> slice:
    start = data.draw(st.integers(0, length - 1))
    return slice(start, data.draw(st.integers(start + 1, length)))


# torch smears planes of a single column
@settings(max_examples=40, deadline=None)
@given(height=LENGTHS, width=SEVERAL, rows=LENGTHS, columns=SEVERAL)
@example(height=90, width=3, rows=6, columns=48)
def test_interpolation_is_that_of_torch(height: int, width: int, rows: int, columns: int) -> None:
    plane = _frame(height, width) - 100
    expected = functional.interpolate(
        torch.from_numpy(plane)[None],
        size=(rows, columns),
        mode="bicubic",
        align_corners=False,
        antialias=True,
    )[0]
    # torch finds positions with 24 bits only
    np.testing.assert_allclose(resample(plane, (rows, columns)), expected.numpy(), atol=2e-3)


@settings(max_examples=60, deadline=None)
@given(height=LENGTHS, width=LENGTHS, rows=LENGTHS, columns=LENGTHS, data=st.data())
def test_a_part_is_interpolated_as_in_the_whole_bit_for_bit(
    height: int, width: int, rows: int, columns: int, data: st.DataObject
) -> None:
    plane = _frame(height, width)
    resampling = Resampling((height, width), (rows, columns))
    across, down = _span(data, columns), _span(data, rows)
    part = Box(down.start, down.stop, across.start, across.stop)
    read = resampling.reads(part)
    alone = resampling.of_part(plane[(..., *read.slices)], read, part)
    np.testing.assert_array_equal(alone, resampling.of_whole(plane)[:, down, across])


def test_every_part_of_a_line_is_interpolated_as_in_the_whole() -> None:
    """With 9 to 11 pixels some fall on others, and read less than those beside them."""
    line = _frame(1, 36)
    resampling = Resampling((1, 36), (1, 44))
    whole = resampling.of_whole(line)
    for start in range(44):
        for stop in range(start + 1, 45):
            part = Box(0, 1, start, stop)
            read = resampling.reads(part)
            alone = resampling.of_part(line[(..., *read.slices)], read, part)
            np.testing.assert_array_equal(alone, whole[..., start:stop])


@pytest.fixture(scope="module")
def small(make_model):
    """A model that looks few pixels far, so that windows are much smaller than frames."""
    return make_model("unet", arguments={"widths": (4, 6)}, outputs=["mean", "log_scale"])


@pytest.mark.parametrize("device", PROCESSORS)
@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(40, 150),
    width=st.integers(40, 150),
    pixel_size_um=st.floats(0.04, 0.2),
    averages=st.booleans(),
    data=st.data(),
)
@example(height=101, width=99, pixel_size_um=0.0655, averages=True, data=None)
def test_a_region_is_stained_as_in_the_whole_frame(
    small,
    device: str,
    height: int,
    width: int,
    pixel_size_um: float,
    averages: bool,
    data: st.DataObject,
) -> None:
    chosen = StainSettings(precision="float32", average=averages)
    stainer = Stainer(small, chosen, pixel_size_um=pixel_size_um, device=device)
    region = (slice(60, 71), slice(37, 39))
    if data is not None:
        region = (_span(data, height), _span(data, width))
    frame = _frame(height, width)
    whole, part = stainer.stain(frame, FITTED), stainer.stain(frame, FITTED, region=region)
    for name in ("fluorescence", "uncertainty"):
        expected = getattr(whole, name)
        found = getattr(part, name)
        assert found.shape == expected[region].shape
        assert np.abs(found - expected[region]).max() <= 1e-5 * np.ptp(expected)


@pytest.mark.skipif(not _gains_from_bfloat16(), reason="no instructions for bfloat16 here")
@pytest.mark.parametrize("device", PROCESSORS)
@pytest.mark.parametrize("averages", [False, True])
@pytest.mark.parametrize("pixel_size_um", [0.0655, 0.08, 0.117])
def test_a_region_is_stained_as_in_the_whole_frame_in_half_precision(
    small, pixel_size_um: float, averages: bool, device: str
) -> None:
    chosen = StainSettings(precision="bfloat16", average=averages)
    stainer = Stainer(small, chosen, pixel_size_um=pixel_size_um, device=device)
    frame, region = _frame(203, 150), (slice(101, 120), slice(11, 40))
    whole, part = stainer.stain(frame, FITTED), stainer.stain(frame, FITTED, region=region)
    np.testing.assert_array_equal(part.fluorescence, whole.fluorescence[region])


@given(length=st.integers(1, 400), stride=st.sampled_from([1, 4, 16]), data=st.data())
def test_what_a_window_leaves_out_is_beyond_the_halo(
    length: int, stride: int, data: st.DataObject
) -> None:
    """Counted from the last whole cell of the grid, which mirrored frames begin at their end."""
    rows = _span(data, length)
    shape = (length, 50)
    box = view_of(shape, shape, (rows, slice(3, 9)), halo=48, stride=stride).computed
    below, above = box.bottom // stride * stride, length - (length - box.top) // stride * stride
    assert box.bottom == length or below - rows.stop >= 48
    assert box.top == 0 or rows.start - above >= 48
    assert box.top % stride == (length - box.bottom) % stride == 0


def test_no_more_is_computed_than_the_network_sees() -> None:
    region = (slice(500, 600), slice(0, 100))
    view = view_of((2000, 2000), (1600, 1600), region, halo=56, stride=8)
    # 80 pixels of the model, the halo, the reach of the interpolation, the grid
    assert view.computed.shape[0] <= 80 + 2 * (56 + 8) + 6 + 16
    assert view.computed.shape[1] <= 80 + 56 + 8 + 3 + 8
    assert view.read.shape[0] <= view.computed.shape[0] / 0.8 + 8


def test_what_lies_outside_a_region_still_fills_and_normalises_it(make_model) -> None:
    frame = _frame(180, 190)
    frame[0, 40:60, 40:60] = np.nan
    each = {"input": {"scope": "frame"}, "output": {}}
    model = make_model("unet", arguments={"widths": (4, 6)}, normalisation=each)
    stainer = Stainer(model, StainSettings(precision="float32"), device="cpu", pixel_size_um=0.1)
    region = (slice(55, 70), slice(55, 70))
    with pytest.warns(NonFiniteWarning):
        whole = stainer.stain(frame, FITTED).fluorescence
    with pytest.warns(NonFiniteWarning):
        part = stainer.stain(frame, FITTED, region=region).fluorescence
    np.testing.assert_allclose(part, whole[region], atol=1e-5 * np.ptp(whole))


@pytest.mark.parametrize("rows", [slice(5, 5), slice(40, 50)])
def test_a_region_without_a_pixel_is_refused(small, rows: slice) -> None:
    stainer = Stainer(small, device="cpu", pixel_size_um=0.08)
    with pytest.raises(InputError, match="holds no pixel of a frame of 40 x 40"):
        stainer.stain(_frame(40, 40), FITTED, region=(rows, slice(None)))
