"""Properties of GEFF with and without missing values."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.tracking.formats.geff import _values


@pytest.mark.parametrize("missing", [None, np.zeros(2, bool)])
@pytest.mark.parametrize("values", [np.array(["a", "b"]), np.array([2**60 + 1, 3])])
def test_whole_numbers_and_texts_stay_what_they_are(values: np.ndarray, missing: object) -> None:
    held = {"values": values, "missing": missing}
    assert _values(held).dtype == values.dtype
    np.testing.assert_array_equal(_values(held), values)


def test_missing_values_are_nan() -> None:
    held = {"values": np.array([1, 2]), "missing": np.array([False, True])}
    np.testing.assert_array_equal(_values(held), [1.0, np.nan])
