"""Images that no network can take, and frames that are not there."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch

from napari_virtualstain.engine import parse_frames
from napari_virtualstain.engine.arrays import as_array, as_image, image_axes
from napari_virtualstain.engine.devices import resolve_device
from napari_virtualstain.engine.resampling import resampled_shape
from napari_virtualstain.errors import AxesError, DeviceError, InputError


def test_six_dimensions_have_no_usual_axes() -> None:
    with pytest.raises(AxesError, match="has 6 dimensions: expected 2 to 5"):
        image_axes(np.zeros((1,) * 6), 6, None)
    assert image_axes(np.zeros((1,) * 5), 5, None) == "tczyx"


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (da.zeros((3, 4), dtype=complex, chunks=2), "holds complex128 values"),
        (da.from_array(np.eye(4), chunks=2)[da.from_array(np.eye(4)[0] > 0, chunks=2)], "unknown"),
    ],
)
def test_lazy_images_of_other_types_or_unknown_size_are_refused(image: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        as_image(image)


def test_tensors_that_learn_and_masked_lazy_images_are_taken() -> None:
    tensor = torch.ones(2, 3, requires_grad=True)
    np.testing.assert_array_equal(as_array(tensor), np.ones((2, 3)))
    masked = da.ma.masked_equal(da.from_array(np.eye(3), chunks=3), 0.0)
    assert np.isnan(np.asarray(as_image(masked))).sum() == 6


@pytest.mark.parametrize(
    ("shape", "size_um", "fits"), [((1000, 1000), 0.08, True), ((40_000, 40_000), 0.3, False)]
)
def test_frames_that_would_become_too_large_are_refused(
    shape: tuple[int, int], size_um: float, fits: bool
) -> None:
    if fits:
        assert resampled_shape(shape, size_um, 0.08) == shape
    else:
        with pytest.raises(InputError, match="more than can be held"):
            resampled_shape(shape, size_um, 0.08)


@pytest.mark.parametrize(
    ("frames", "chosen"),
    [
        (None, [0, 1, 2, 3, 4]),
        (slice(1, None, 2), [1, 3]),
        (-1, [4]),
        ([0, 3], [0, 3]),
        ("1:3,4", [1, 2, 4]),
    ],
)
def test_frames_are_chosen_by_numbers_slices_or_text(frames: Any, chosen: list[int]) -> None:
    assert parse_frames(frames, 5) == chosen


@pytest.mark.parametrize(
    ("there", "asked", "found"),
    [
        (0, None, "cpu"),
        (0, "cpu", "cpu"),
        (2, "auto", "cuda"),
        (2, "cuda:1", "cuda:1"),
        (2, "cuda:2", None),
        (0, "cuda", None),
        (0, "gpu of a neighbour", None),
    ],
)
def test_a_device_is_there_or_refused(
    monkeypatch: pytest.MonkeyPatch, there: int, asked: str | None, found: str | None
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    if found is None:
        with pytest.raises(DeviceError):
            resolve_device(asked)
    else:
        assert str(resolve_device(asked)) == found


@pytest.mark.parametrize(
    ("shape", "are_colours"),
    [
        ((16, 16, 3), True),
        ((16, 40, 4), True),
        ((15, 40, 3), False),
        ((40, 15, 4), False),
        ((40, 40, 5), False),
        ((40, 40, 2), False),
        ((40, 4), False),
    ],
)
def test_colours_are_told_from_frames_of_few_columns(
    shape: tuple[int, ...], are_colours: bool
) -> None:
    if are_colours:
        with pytest.raises(InputError, match="looks like RGB"):
            as_image(np.zeros(shape))
    else:
        assert as_image(np.zeros(shape)).shape == shape
