"""Labels that are taken, and those that are refused or doubted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.tracking.mask_detections import whole_labels


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
