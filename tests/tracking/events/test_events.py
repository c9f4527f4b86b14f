"""Fission, fusion and passing clumps of masks whose truth is drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

import napari_virtualstain as vs
from napari_virtualstain.settings import EventTuning, PersistenceTuning
from napari_virtualstain.tracking import TrackingConfig, event_rates
from napari_virtualstain.tracking.events.lifetimes import Changes, Lifetimes, learn_lifetimes
from napari_virtualstain.tracking.events.persistence import (
    event_probability,
    log_length_ratio,
)
from napari_virtualstain.tracking.mask_pixels import MaskPixels

FRAMES, BREAK = 12, 6


def disc(y: float, x: float, radius: float, shape: tuple[int, int] = (48, 96)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def rod(y: float, x: float, half: float, shape: tuple[int, int] = (48, 96)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return (abs(rows - y) <= 2.5) & (abs(columns - x) <= half)


def dividing() -> np.ndarray:
    """Return labels of a rod that breaks in two unequal parts, and of two that do nothing."""
    labels = np.zeros((FRAMES, 48, 96), np.int32)
    for t in range(FRAMES):
        labels[t][disc(40, 20 + t, 4)] = 5
        labels[t][disc(8, 80 - t, 5)] = 6
        if t < BREAK:
            labels[t][rod(24 + 0.3 * t, 40 + 0.2 * t, 12)] = 1
        else:
            apart = 1.0 + 0.5 * (t - BREAK)
            labels[t][rod(24 + 0.3 * t, 34.5 + 0.2 * t - apart, 6.5)] = 2
            labels[t][rod(24 + 0.3 * t, 47 + 0.2 * t + apart, 5)] = 3
    return labels


@pytest.mark.parametrize("kind", ["fission", "fusion"])
def test_a_rod_that_breaks_is_found_forwards_and_backwards(kind: str) -> None:
    labels = dividing() if kind == "fission" else dividing()[::-1]
    tracks = vs.track(labels, pixel_size_um=0.1, frame_interval_s=2.0)
    event = tracks.events.iloc[0]
    assert tracks.events.kind.tolist() == [kind]
    assert event.frame == (BREAK if kind == "fission" else FRAMES - BREAK)
    assert event.time_s == 2.0 * event.frame
    assert event.probability > 0.7
    assert abs(event.y_um - 2.6) < 0.3
    assert abs(event.x_um - 4.1) < 0.5
    one = event.parents if kind == "fission" else event.children
    two = event.children if kind == "fission" else event.parents
    assert (one.count(";"), two.count(";")) == (0, 1)
    assert len(tracks) == 5
    graph = {int(c): [int(p) for p in event.parents.split(";")] for c in event.children.split(";")}
    assert tracks.graph == graph
    assert event_rates(tracks)[f"{kind}_per_min"] > 0


def test_relabelling_gives_the_parts_names_of_their_own() -> None:
    labels = dividing()
    relabelled = vs.track(labels).relabel(labels)
    whole = set(np.unique(relabelled[:BREAK][labels[:BREAK] == 1]))
    parts = [set(np.unique(relabelled[BREAK:][labels[BREAK:] == name])) for name in (2, 3)]
    assert [len(names) for names in (whole, *parts)] == [1, 1, 1]
    assert len(whole | parts[0] | parts[1]) == 3


def test_a_mask_that_breaks_for_one_frame_is_no_event() -> None:
    labels = dividing()
    labels[BREAK:] = 0
    for t in range(FRAMES):
        labels[t][disc(40, 20 + t, 4)] = 5
        labels[t][rod(24 + 0.3 * t, 40 + 0.2 * t, 12)] = 1
    labels[4][:, 39:42] = 0
    labels[4][:, :39][labels[4][:, :39] == 1] = 7
    tracks = vs.track(labels)
    assert len(tracks.events) == 0


def test_passing_objects_keep_their_identity_through_a_clump() -> None:
    labels = np.zeros((16, 48, 96), np.int32)
    for t in range(16):
        big, small = disc(24, 20 + 4 * t, 7), disc(27, 76 - 3.5 * t, 4)
        if (big & small).any():
            labels[t][big | small] = 1
        else:
            labels[t][big], labels[t][small] = 1, 2
        labels[t][disc(6, 50 + t, 3)] = 3
    tracks = vs.track(labels)
    assert len(tracks.events) == 0
    area = tracks.table[~tracks.table.interpolated].groupby("track_id").area_um2.median()
    assert len(area) == 3
    small = tracks.table[tracks.table.track_id == (area - 49).abs().idxmin()]
    assert (small.x_um.iloc[0], small.x_um.iloc[-1]) == (pytest.approx(76), pytest.approx(23.5))
    assert small.interpolated.any()


def test_events_can_be_left_out() -> None:
    tracks = vs.track(dividing(), config=TrackingConfig(fission_fusion=False))
    assert len(tracks.events) == 0
    assert tracks.graph == {}


def test_values_that_mean_nothing_across_frames_change_nothing() -> None:
    labels = dividing()
    rng = np.random.default_rng(0)
    shuffled = np.zeros_like(labels)
    for t in range(FRAMES):
        shuffled[t] = np.concatenate([[0], rng.permutation(900)[:6] + 1])[labels[t]]
    one, other = vs.track(labels), vs.track(shuffled)
    both = one.table.merge(other.table, on=["frame", "y_um", "x_um"])
    assert len(both) == len(one.table)
    assert both.groupby("track_id_x").track_id_y.nunique().eq(1).all()


def test_empty_frames_are_passed_over() -> None:
    labels = dividing()
    labels[2] = 0
    tracks = vs.track(labels)
    assert set(tracks.table[tracks.table.interpolated].frame) == {2}
    assert len(vs.track(np.zeros((3, 8, 8), np.uint16))) == 0


def flickering(breaks: dict[int, int], frames: int = 20) -> np.ndarray:
    """Return labels of a rod that is in two pieces from each of `breaks` for so many frames."""
    labels = np.zeros((frames, 48, 96), np.int32)
    broken = {t for first, lasts in breaks.items() for t in range(first, first + lasts)}
    for t in range(frames):
        labels[t][disc(40, 20 + t, 4)] = 5
        labels[t][disc(8, 80 - t, 5)] = 6
        labels[t][rod(24 + 0.3 * t, 40 + 0.2 * t, 12)] = 1
        if t in broken:
            labels[t][:, 41:43] = np.where(labels[t][:, 41:43] == 1, 0, labels[t][:, 41:43])
            labels[t][:, :41][labels[t][:, :41] == 1] = 7
    return labels


@pytest.mark.parametrize("breaks", [{4: 1}, {5: 2}, {3: 1, 7: 2, 12: 3}], ids=str)
def test_a_mask_that_breaks_and_rejoins_stays_one_object(breaks: dict[int, int]) -> None:
    labels = flickering(breaks)
    tracks = vs.track(labels)
    assert len(tracks.events) == 0
    assert len(tracks) == 3
    whole = tracks.table[tracks.table.y_um.between(20, 34)]
    assert whole.track_id.nunique() == 1
    assert whole.frame.tolist() == list(range(20))
    # where it is in pieces, its area is that of both, and both are named
    broken = sum(breaks.values())
    assert (whole.fragments != "").sum() == broken
    assert whole.area_um2.min() > 0.7 * whole.area_um2.max()
    assert set(np.unique(tracks.relabel(labels))) == {0, 1, 2, 3}
    assert np.array_equal(tracks.relabel(labels) > 0, labels > 0)
    assert len(tracks.masks) == 3 * 20 + broken


def test_a_break_that_lasts_is_an_event_although_others_flicker() -> None:
    labels = flickering({3: 1, 6: 1, 10: 10})
    tracks = vs.track(labels)
    assert tracks.events[["kind", "frame"]].to_numpy().tolist() == [["fission", 10]]


def test_parts_that_both_reach_the_border_may_be_one_outside() -> None:
    """A bow moves out of the field, and its two ends are left."""
    labels = np.zeros((18, 48, 96), np.int32)
    for t in range(18):
        top = 8 - t
        for part in (rod(top, 40, 12), rod(top + 8, 31, 3), rod(top + 8, 49, 3)):
            labels[t][part] = 1
        labels[t, max(0, top) : max(0, top + 14), 28:34] = 1
        labels[t, max(0, top) : max(0, top + 14), 46:53] = 1
        if top < -2:
            labels[t][:, 40:][labels[t][:, 40:] == 1] = 2
        labels[t][disc(40, 20 + 3 * t, 4)] = 5
    assert len(vs.track(labels).events) == 0


def judged(frames: int, artefacts: float = 0.0, touching: float = 0.0) -> float:
    """Return how probably a change is real whose one part lasted so long."""
    changes = Changes(
        appearance=np.array([0.9]),
        frames=np.array([[30, 30, frames]]),
        ended=np.array([[False, False, True]]),
        undone=np.zeros((1, 3), bool),
        touching=np.array([touching]),
        seen=500,
    )
    return float(Lifetimes(artefacts=(artefacts, 0.0)).judge(changes)[0][0])


def test_what_lasts_is_real_and_less_so_where_outlines_flicker() -> None:
    chances = [judged(frames) for frames in (1, 2, 4, 8)]
    assert chances == sorted(chances)
    assert chances[0] < 0.2 < 0.8 < chances[-1]
    assert judged(6, artefacts=20) < 0.7 * judged(6)
    # artefacts of parts that are apart say nothing of parts that touch
    assert judged(6, artefacts=20, touching=1.0) == pytest.approx(judged(6, touching=1.0), rel=0.05)


def test_what_rests_until_it_breaks_is_found_too() -> None:
    labels = np.zeros((6, 48, 96), np.int32)
    labels[:3, rod(24, 40, 12)] = 1
    labels[3:, rod(25, 34, 5.5)], labels[3:, rod(25, 47, 5.5)] = 2, 3
    for movie, kind in ((labels, "fission"), (labels[::-1], "fusion")):
        events = vs.track(movie, pixel_size_um=0.1, frame_interval_s=2.0).events
        assert events.kind.tolist() == [kind]
        assert events.frame.tolist() == [3]


def side_by_side() -> np.ndarray:
    """Return labels of two rods that touch along their sides, one mask, and part sideways."""
    labels = np.zeros((FRAMES, 48, 96), np.int32)
    for t in range(FRAMES):
        labels[t][disc(40, 20 + t, 4)] = 5
        labels[t][disc(8, 80 - t, 5)] = 6
        apart = 0 if t < BREAK else 1.0 + 0.5 * (t - BREAK)
        one, other = rod(21 - apart, 40, 9), rod(26 + apart, 41, 8)
        labels[t][one], labels[t][other] = (1, 1) if t < BREAK else (2, 3)
    return labels


def test_what_touched_side_by_side_is_a_less_probable_fission_than_what_parts_end_to_end() -> None:
    chances = [vs.track(labels).events.probability.sum() for labels in (side_by_side(), dividing())]
    assert chances[0] < 0.7 < 0.9 < chances[1]


@pytest.mark.parametrize(("place", "ratio"), [((24, 17), 0.0), ((30, 0), np.log(2))])
def test_two_rods_are_as_long_as_they_lie(place: tuple[int, int], ratio: float) -> None:
    labels = np.zeros((48, 96), np.int32)
    labels[rod(24, 40, 8)], labels[rod(place[0], 40 + place[1], 8)] = 1, 2
    masks = [np.argwhere(labels == value).astype(np.int32) for value in (1, 2)]
    pixels = MaskPixels(
        np.cumsum([0, *map(len, masks)]),
        *np.concatenate(masks).T,
        centre_um=np.array([some.mean(axis=0) for some in masks]),
        pixel_size_um=1.0,
        at_border=np.zeros(2, bool),
    )
    assert pixels.length_px(0) == pytest.approx(17, rel=0.01)
    assert log_length_ratio(pixels, (0, 1)) == pytest.approx(ratio, abs=0.05)


def test_an_event_is_no_likelier_where_outlines_are_restless() -> None:
    looks, real, ratio = np.array([0.9, 0.99]), np.array([0.9, 0.9]), np.array([0.0, 0.0])
    calm, restless = (
        event_probability(looks, real, share, ratio, EventTuning()) for share in (0.9, 0.2)
    )
    assert (restless < 0.5 * calm).all()
    assert (np.diff(calm) > 0).all()


def test_without_tracks_things_end_as_believed_beforehand() -> None:
    tuning = PersistenceTuning()
    model = learn_lifetimes(np.zeros(0, int), np.zeros(0, bool), tuning)
    assert model.thing == pytest.approx(tuning.ends / tuning.observed_frames)
