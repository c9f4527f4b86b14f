"""Tracks and tracked labels of a z-stack lie in the plane that was tracked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.track.job import geometry_in_stack, rows_in_stack, track_features

GEOMETRY: dict[str, Any] = {
    "scale": (2.0, 0.5, 0.1, 0.1),
    "translate": (0.0, 3.0, 5.0, 7.0),
    "rotate": np.eye(4),
    "shear": np.zeros(6),
}


@pytest.mark.parametrize(("z_plane", "plane"), [("max", 2.0), (0, 0.0), (3, 3.0)])
def test_rows_stand_in_the_plane_or_in_the_middle(z_plane: Any, plane: float) -> None:
    rows = rows_in_stack(np.array([[1.0, 0, 5, 6], [1.0, 1, 5, 6]]), z_plane, 5)
    np.testing.assert_array_equal(rows, [[1, 0, plane, 5, 6], [1, 1, plane, 5, 6]])


def test_labels_of_a_plane_lie_in_it() -> None:
    found = geometry_in_stack(GEOMETRY, 3, (4, 5, 60, 80))
    assert found["translate"] == pytest.approx((0.0, 3.0 + 3 * 0.5, 5.0, 7.0))
    assert tuple(found["scale"]) == pytest.approx(GEOMETRY["scale"])


def test_labels_of_the_maximum_are_as_thick_as_the_stack() -> None:
    found = geometry_in_stack(GEOMETRY, "max", (4, 5, 60, 80))
    assert found["scale"] == pytest.approx((2.0, 2.5, 0.1, 0.1))
    # the middle of the five planes
    assert found["translate"] == pytest.approx((0.0, 3.0 + 2 * 0.5, 5.0, 7.0))


def test_movies_without_z_keep_their_geometry() -> None:
    plain = {"scale": (2.0, 0.1, 0.1), "translate": (0.0, 5.0, 7.0)}
    assert geometry_in_stack(plain, "max", (4, 60, 80)) == plain
    assert geometry_in_stack(plain, 2, (4, 60, 80)) == plain


def test_speed_counts_the_frames_between_and_length_the_rows() -> None:
    data = np.array([[1, 0, 0, 0], [1, 1, 3, 4], [1, 3, 3, 4], [2, 0, 9, 9]], float)
    features = track_features(data, {"quality": np.ones(4)}, 0.1, 2.0)
    np.testing.assert_allclose(features["speed_um_per_s"], [0.25, 0.25, 0.0, 0.0])
    assert features["length_frames"].tolist() == [3, 3, 3, 1]
    jump = track_features(np.array([[1, 0, 0, 0], [1, 2, 3, 4]], float), {}, 0.1, 2.0)
    np.testing.assert_allclose(jump["speed_um_per_s"], [0.125, 0.125])
