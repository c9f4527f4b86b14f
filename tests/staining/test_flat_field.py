"""The slow illumination field: divided out where asked for, and only then."""

from __future__ import annotations

import numpy as np
import pytest

import napari_virtualstain as vs
from napari_virtualstain.staining.flat_field import _evaluated, _surface, flattened


def _scene() -> np.ndarray:
    scene = vs.simulate(frames=2, size=96, count=6, seed=3).bright_field.astype(float)
    # the contrast of a raw camera image: a few per cent of the mean
    return 20_000 * (1 + 0.04 * (scene - scene.mean()) / scene.std())


def _fields(size: int) -> np.ndarray:
    """Illumination fields of mean 1 that drift: brighter on the right, then at the bottom."""
    y, x = np.indices((size, size)) / size
    fields = np.stack([1 + 0.4 * x - 0.2 * x**2, 1 + 0.3 * y + 0.1 * x * y])
    return fields / fields.mean((1, 2), keepdims=True)


def test_the_field_is_divided_out() -> None:
    even = _scene()
    uneven = even * _fields(96)
    for frame, before, truth in zip(map(flattened, uneven), uneven, even, strict=True):
        rest, field = frame / truth - 1, before / truth - 1
        assert rest.std() < 0.2 * field.std()
        assert abs(rest.mean()) < 0.01


@pytest.mark.parametrize("frame", [np.zeros((64, 64)), np.ones((8, 64)), np.full((64, 64), np.nan)])
def test_a_frame_without_a_field_is_as_it_was(frame: np.ndarray) -> None:
    np.testing.assert_array_equal(flattened(frame), frame.astype(np.float32))


@pytest.mark.parametrize("gain", [1e-6, 1e-3, 10.0])
def test_the_unit_of_intensity_does_not_matter(gain: float) -> None:
    frame = _scene()[0] * _fields(96)[0]
    np.testing.assert_allclose(flattened(gain * frame), gain * flattened(frame), rtol=1e-3)


@pytest.mark.parametrize(("spreads", "counts"), [(2.7, True), (3.3, False)])
def test_blocks_three_spreads_off_the_surface_do_not_count(spreads: float, counts: bool) -> None:
    # a chequered field of deviations of 1, and one block farther off
    grid = np.arange(16) / 16
    heights = 100 + (-1.0) ** np.add.outer(np.arange(16), np.arange(16))
    middle = heights.copy()
    heights[8, 8] = 100 + spreads * 1.4826
    middle[8, 8] = 100
    found, without = (_surface(some, grid, grid) for some in (heights, middle))
    moved = abs(_evaluated(found, grid, grid) - _evaluated(without, grid, grid)).max()
    assert (moved > 0.02) == counts


@pytest.mark.parametrize(
    ("field", "most", "least"),
    [
        (lambda y, x: 0.25 + 1.5 * x, 4, 1 / 1.75),
        (lambda y, x: 0.15 + 1.7 * x, 5, 1 / 1.85),  # a corner of less than a fifth
        (lambda y, x: 1.9 * ((x + y - 0.4) ** 2), 5, 1 / 4.86),
        (lambda y, x: 4.8 * ((x + y - 0.8) ** 2), 5, 1 / 5),  # a spot of seven times the mean
    ],
)
def test_a_field_is_followed_down_to_a_fifth_and_up_to_five_times_its_mean(
    field, most: float, least: float
) -> None:
    frame = 1000 * field(*(np.indices((96, 96)) + 0.5) / 96)
    gain = flattened(frame) / frame
    assert gain.max() == pytest.approx(most, rel=0.05)
    assert gain.min() == pytest.approx(least, rel=0.05)


def test_the_stain_of_an_uneven_movie_is_that_of_the_even_one() -> None:
    even = _scene()
    options = {"pixel_size_um": 0.08, "device": "cpu", "precision": "float32"}
    stain = vs.stain(even, "mito-simulated", **options)
    uneven = even * _fields(96)
    flat = vs.stain(uneven, "mito-simulated", flat_field=True, **options)
    left = vs.stain(uneven, "mito-simulated", **options)

    def likeness(one: np.ndarray) -> float:
        return float(np.corrcoef(one.ravel(), stain.ravel())[0, 1])

    assert likeness(flat) > 0.99
    assert likeness(flat) > likeness(left) + 0.03


def test_a_lazy_movie_is_flattened_alike() -> None:
    import dask.array as da

    movie = _scene() * _fields(96)
    options = {"pixel_size_um": 0.08, "device": "cpu", "flat_field": True}
    now = vs.stain(movie, "mito-simulated", **options)
    later = vs.stain(da.from_array(movie, chunks=(1, -1, -1)), "mito-simulated", **options)
    np.testing.assert_array_equal(np.asarray(later), now)
