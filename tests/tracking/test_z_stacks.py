"""Tracks of z-stacks: one plane, or the maximum over z."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

import napari_virtualstain as vs
from napari_virtualstain.errors import InputError
from napari_virtualstain.tracking import TrackingConfig, project_image, project_labels


def stack_of_two() -> np.ndarray:
    """Return (4, 3, 16, 24) labels drawn plane by plane: one deep object, one in plane 2 only."""
    labels = np.zeros((4, 3, 16, 24), np.int32)
    for t in range(4):
        labels[t, 0, 2:6, 2 + t : 8 + t] = 5 + t
        labels[t, 1, 2:7, 2 + t : 8 + t] = 9 - t
        labels[t, 2, 10:14, 10 + t : 16 + t] = 9 - t
    return labels


def test_the_maximum_joins_masks_over_each_other_and_keeps_others_apart() -> None:
    labels = stack_of_two()
    flat = project_labels(labels, "max")
    assert flat.shape == (4, 16, 24)
    assert np.array_equal(flat > 0, (labels > 0).any(axis=1))
    for plane in flat:
        assert np.unique(plane).tolist() == [0, 1, 2]
        assert len(np.unique(plane[:8][plane[:8] > 0])) == 1


@pytest.mark.parametrize(("shared", "objects"), [(3, 1), (2, 2)])
def test_half_of_the_smaller_mask_makes_one_object(shared: int, objects: int) -> None:
    labels = np.zeros((1, 2, 4, 20), np.int32)
    labels[0, 0, 0, :6] = 1
    labels[0, 1, 0, 6 - shared : 12] = 1
    assert project_labels(labels, "max").max() == objects


def test_a_stack_of_one_plane_is_that_plane() -> None:
    labels = stack_of_two()[:, :1]
    flat = project_labels(labels, "max")
    assert flat.shape == (4, 16, 24)
    assert np.array_equal(flat > 0, labels[:, 0] > 0)


def test_dask_is_projected_lazily_and_the_same() -> None:
    labels = stack_of_two()
    lazy = project_labels(da.from_array(labels, chunks=(2, 1, 16, 12)), "max")
    assert isinstance(lazy, da.Array)
    assert lazy.shape == (4, 16, 24)
    assert np.array_equal(lazy.compute(), project_labels(labels, "max"))
    image = np.random.default_rng(0).random((4, 3, 16, 24))
    assert np.array_equal(project_image(da.from_array(image), "max").compute(), image.max(axis=1))


def test_tracks_of_a_plane_are_those_of_its_labels() -> None:
    labels = stack_of_two()
    image = np.random.default_rng(0).random(labels.shape)
    for z_plane, count in ((0, 1), (2, 1), ("max", 2)):
        tracks = vs.track(labels, intensity=image, config=TrackingConfig(z_plane=z_plane))
        assert len(tracks) == count
        if z_plane != "max":
            alone = vs.track(labels[:, z_plane], intensity=image[:, z_plane])
            assert tracks.table.equals(alone.table)


def test_the_maximum_is_tracked_where_no_plane_is_chosen() -> None:
    expected = vs.track(stack_of_two(), config=TrackingConfig(z_plane="max"))
    assert vs.track(stack_of_two()).table.equals(expected.table)
    assert TrackingConfig(z_plane=None) == TrackingConfig()  # as old settings files say


@pytest.mark.parametrize("wrong", ["middle", -1, 1.5])
def test_a_plane_is_a_number_from_0_or_max(wrong: object) -> None:
    with pytest.raises(ValueError, match="counted from 0"):
        TrackingConfig(z_plane=wrong)


def test_a_plane_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no plane 3: the z-stack has 3 planes"):
        vs.track(stack_of_two(), config=TrackingConfig(z_plane=3))
    with pytest.raises(InputError, match="intensity has the shape"):
        vs.track(stack_of_two(), intensity=np.zeros((4, 16, 24)), config=TrackingConfig(z_plane=0))
