"""Bad pairs are named before anything trains."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.data import CorrelativePairs, inspect_pairs
from napari_virtualstain.data.inspection import _saturated_share
from napari_virtualstain.errors import InputError


def _images(count: int = 4, dtype: str = "uint8") -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 200, (64, 64)).astype(dtype) for _ in range(count)]


def _pairs(inputs: list[np.ndarray], targets: list[np.ndarray]) -> CorrelativePairs:
    return CorrelativePairs.from_arrays(inputs, targets)


def test_good_pairs_pass_without_a_word() -> None:
    found = inspect_pairs(_pairs(_images(), _images()), crop_size=32)
    assert found.warnings == ()
    assert found.foreground["passing_share"] == 1


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("side", [0, 1])
def test_constant_images_stop_or_are_dropped(value: int, side: int) -> None:
    both = [_images(), _images()]
    both[side][2] = np.full((64, 64), value, np.uint8)
    pairs = _pairs(*both)
    with pytest.raises(InputError, match=r"'2'.*constant"):
        inspect_pairs(pairs)
    found = inspect_pairs(pairs, bad_pairs="drop")
    assert found.pairs.names == ("0", "1", "3")
    assert "left out" in found.warnings[0]


def test_all_targets_empty() -> None:
    empty = [np.zeros((64, 64), np.uint8)] * 4
    with pytest.raises(InputError, match="4 of 4 pairs cannot train"):
        inspect_pairs(_pairs(_images(), empty), bad_pairs="drop")


def test_saturation_warns_and_then_stops() -> None:
    targets = _images()
    targets[1][:4, :20] = 255
    found = inspect_pairs(_pairs(_images(), targets))
    assert "saturated in up to 2.0%" in found.warnings[0]
    targets[1][:32] = 255
    with pytest.raises(InputError, match="saturated"):
        inspect_pairs(_pairs(_images(), targets))


def test_clipping_below_the_ceiling_of_the_type_is_seen_too() -> None:
    rng = np.random.default_rng(0)
    smooth = [rng.gamma(2.0, 100.0, (64, 64)) for _ in range(4)]
    for dtype in ("uint16", "float32"):
        clipped = [np.minimum(image, 700).astype(dtype) for image in smooth]
        whole = [image.astype(dtype) for image in smooth]
        assert (
            "fluorescence images are saturated" in inspect_pairs(_pairs(whole, clipped)).warnings[0]
        )
        assert (
            "bright-field images are saturated" in inspect_pairs(_pairs(clipped, whole)).warnings[0]
        )
        with pytest.raises(InputError, match="saturated"):
            inspect_pairs(_pairs(whole, [np.minimum(image, 100) for image in whole]))
    # few grey levels are no clipping: photons in the dark, painted masks
    dark = [rng.poisson(0.3, (64, 64)).astype("uint8") for _ in range(4)]
    assert inspect_pairs(_pairs(whole, dark)).warnings == ()


def test_mixed_bit_depths_are_refused() -> None:
    targets = _images(2) + _images(2, "uint16")
    with pytest.raises(InputError, match=r"fluorescence images mix.*uint16"):
        inspect_pairs(_pairs(_images(), targets))


def test_one_pair_is_not_enough() -> None:
    with pytest.raises(InputError, match="at least two"):
        inspect_pairs(_pairs(_images(1), _images(1)))
    with pytest.raises(InputError, match="no pairs"):
        inspect_pairs(_pairs(_images(1), _images(1)).subset([]))


def test_no_foreground_anywhere_says_how_much_there_is() -> None:
    targets = [image.copy() for image in _images(4, "uint16")]
    with pytest.raises(InputError, match=r"No crop of 32 px has 90% foreground.*best has"):
        inspect_pairs(_pairs(_images(), targets), crop_size=32, min_foreground=0.9)


def test_nan_is_named() -> None:
    targets = [image.astype(np.float32) for image in _images()]
    targets[3][0, 0] = np.nan
    with pytest.raises(InputError, match="1 NaN"):
        inspect_pairs(_pairs(_images(), targets))


def test_images_of_fewer_than_16_pixels_are_refused() -> None:
    for shape in ((15, 40), (40, 15)):
        small = list(np.random.default_rng(0).normal(size=(2, *shape)))
        with pytest.raises(InputError, match="at least 16 x 16"):
            inspect_pairs(_pairs(small, small))
    least = list(np.random.default_rng(0).normal(size=(2, 16, 16)))
    assert len(inspect_pairs(_pairs(least, least)).pairs) == 2


@pytest.mark.parametrize(("share", "stops"), [(0.19, False), (0.21, True)])
def test_a_fifth_of_the_pixels_may_be_saturated(share: float, stops: bool) -> None:
    targets = _images()
    targets[1].ravel()[: round(share * targets[1].size)] = 255
    if stops:
        with pytest.raises(InputError, match="21% of the fluorescence image are saturated"):
            inspect_pairs(_pairs(_images(), targets))
    else:
        assert "saturated" in inspect_pairs(_pairs(_images(), targets)).warnings[0]


@pytest.mark.parametrize(("pixels", "warned"), [(3, False), (6, True)])
def test_one_saturated_pixel_in_a_thousand_is_worth_a_warning(pixels: int, warned: bool) -> None:
    targets = _images()
    for target in targets:
        target[target == 255] = 254
    targets[1].ravel()[:pixels] = 255
    assert bool(inspect_pairs(_pairs(_images(), targets)).warnings) == warned


@pytest.mark.parametrize("top", [1023, 4095, 16383, 65535])
@pytest.mark.parametrize("below", [0, 1])
def test_the_ceiling_of_a_camera_is_known_where_its_neighbours_are_as_common(
    top: int, below: int
) -> None:
    """Of 10, 12, 14 and 16 bits; one level lower the same pixels are ordinary."""
    targets = _images(4, "uint16")
    brightest = [top - below - level for level in range(4) for _ in range(10)]
    targets[1].ravel()[:40] = brightest
    warnings = inspect_pairs(_pairs(_images(), targets)).warnings
    assert bool(warnings) == (below == 0)


@pytest.mark.parametrize(
    ("levels", "clipped", "is_clipped"),
    [
        (39, 450, False),  # less than five times the 94 pixels of each level below
        (39, 490, True),
        (15, 2000, False),  # few levels are a mask or photons in the dark
        (16, 2000, True),
    ],
)
def test_a_plateau_is_clipping_where_it_stands_out_of_many_grey_levels(
    levels: int, clipped: int, is_clipped: bool
) -> None:
    below = np.arange(64 * 64 - clipped) % levels
    image = np.append(below, [levels] * clipped).reshape(64, 64).astype("uint16")
    assert _saturated_share(image) == (clipped / image.size if is_clipped else 0)


@pytest.mark.parametrize(("bad", "more"), [(5, ""), (6, " and 1 more")])
def test_five_bad_pairs_are_named_and_the_others_counted(bad: int, more: str) -> None:
    targets = [np.zeros_like(image) if n < bad else image for n, image in enumerate(_images(8))]
    note = inspect_pairs(_pairs(_images(8), targets), bad_pairs="drop").warnings[0]
    assert note.startswith(f"{bad} of 8 pairs cannot train ('0': ")
    assert note.endswith(f"'4': the fluorescence image is constant (0){more}); they are left out.")
