"""Labels that are taken, and those that are refused or doubted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.tracking.mask_detections import check_objects, whole_labels


@pytest.mark.parametrize("kind", [np.uint64, np.float64])
def test_labels_reach_to_the_largest_exact_number(kind: type) -> None:
    labels = np.zeros((4, 4), kind)
    labels[1, 1] = 2**53
    assert whole_labels(labels).max() == 2**53
    labels[1, 1] = 2**53 + 2
    with pytest.raises(InputError, match="above 2\\^53"):
        whole_labels(labels)


@pytest.mark.parametrize("wrong", [0.5, np.nan, np.inf])
def test_images_are_no_labels(wrong: float) -> None:
    labels = np.ones((4, 4))
    assert whole_labels(labels).dtype == np.int64
    labels[0, 0] = wrong
    with pytest.raises(InputError, match="fractions or no numbers"):
        whole_labels(labels)


def test_one_number_below_nought_is_the_background_where_nought_is_not() -> None:
    labels = np.array([[-1, -1, 3]])
    assert whole_labels(labels).tolist() == [[0, 0, 3]]
    with pytest.raises(InputError, match="hold -1 and 0"):
        whole_labels(np.array([[-1, 0, 3]]))
    with pytest.raises(InputError, match="hold -2 and -1"):
        whole_labels(np.array([[-2, -1, 3]]))


@pytest.mark.parametrize(
    ("values", "places", "is_grey"), [(7, 5, False), (8, 5, True), (8, 4, False)]
)
def test_a_grey_image_has_many_values_in_many_places(
    values: int, places: int, is_grey: bool
) -> None:
    labels = np.zeros((2 * values, 2 * places), int)
    labels[::2, ::2] = 1 + np.arange(values)[:, None]
    if is_grey:
        with pytest.raises(InputError, match=f"{values} values in {values * places} separate"):
            check_objects(labels)
    else:
        assert check_objects(labels) is None


@pytest.mark.parametrize(
    ("width", "outside", "is_grey"), [(3, 9, True), (3, 11, False), (4, 9, False)]
)
def test_a_grey_image_has_tiny_objects_all_over(width: int, outside: int, is_grey: bool) -> None:
    # of 100 rows of strips, so many are outside of all objects
    labels = 1 + np.arange(400).reshape(100, 4).repeat(width, axis=1)
    labels[:outside] = 0
    if is_grey:
        with pytest.raises(InputError, match="looks like a grey image"):
            check_objects(labels)
    else:
        assert check_objects(labels) is None


@pytest.mark.parametrize(
    ("label", "part", "said"),
    [
        (1, (slice(2, 8), slice(2, 8)), True),  # 36 of 100 pixels
        (1, (slice(1, 9), slice(1, 9)), False),  # the rest is no more than half
        (1, (slice(0, 10), slice(0, 2)), False),  # the rest is not all around
        (0, (slice(2, 8), slice(2, 8)), False),  # 0 is the background
        (2, (slice(2, 8), slice(2, 8)), False),  # nothing but one object
    ],
)
def test_a_background_is_said_that_is_around_the_rest(
    label: int, part: tuple[slice, slice], said: bool
) -> None:
    labels = np.full((10, 10), 2)
    labels[part] = label
    assert bool(check_objects(labels)) == said
