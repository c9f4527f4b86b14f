"""Fission and fusion: which mitochondria take part, and how two ends are drawn together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_virtualstain.simulation import Mitochondria, Motion, SceneConfig
from napari_virtualstain.simulation.fission_fusion import Approach, Lineage, _fits
from napari_virtualstain.simulation.landscape import Landscape
from napari_virtualstain.simulation.tubule import STEP_UM, Points, Tubule

FIELD_UM = 20.0
NONE = Points(*(np.zeros(0) for _ in range(4)))


def _straight(
    track_id: int, x_um: float, *, length_um: float = 1.6, z_um: float = 0.0, heading: float = 0.0
) -> Tubule:
    """Return a straight mitochondrion in the middle of the field, along x unless turned."""
    segments = round(length_um / STEP_UM)
    centre = np.array([z_um, FIELD_UM / 2, x_um])
    return Tubule(
        track_id=track_id,
        centre=centre.copy(),
        heading=heading,
        bends=np.zeros(segments - 1),
        slopes=np.zeros(segments),
        radius_um=0.2,
        surface=NONE,
        volume=NONE,
        home=centre.copy(),
    )


def _lineage(**motion: float) -> Lineage:
    landscape = Landscape((FIELD_UM,) * 2, 5.0, (0.0, 0.0), (1.0, 1.0), 0.0, 0.5, 3.0, 3.0)
    return Lineage(SceneConfig(motion=replace(Motion(), **motion)), landscape, next_id=3)


@pytest.mark.parametrize(("gap_um", "fuses"), [(0.2, True), (4.1, True), (4.5, False)])
def test_ends_are_drawn_together_by_at_most_0_4_um_a_frame_for_twelve_frames(
    gap_um: float, fuses: bool
) -> None:
    """Both ends must have touched, nearer than 0.3 µm, in two frames before they join."""
    one, other = _straight(1, 8.0), _straight(2, 8.0 + 1.6 + gap_um)
    lineage, tubules, gaps = _lineage(), [one, other], [gap_um]
    lineage.approach = Approach(1, 2, first_tail=True, second_tail=False)
    for frame in range(5, 40):
        lineage._draw_together(frame, tubules, free=True)
        if lineage.approach is None:
            break
        gaps.append(float(np.linalg.norm(other.nodes()[0] - one.nodes()[-1])))
    assert bool(lineage.events) == fuses
    assert np.diff(gaps).min() >= -0.4 - 1e-9
    if fuses:
        assert sum(gap < 0.3 for gap in gaps[1:]) == 2
        assert [tubule.parents for tubule in tubules] == [(1, 2)]
        assert tubules[0].length_um == pytest.approx(one.length_um + other.length_um)
    else:
        assert len(gaps) == 1 + 12


@pytest.mark.parametrize(
    ("length_um", "z_um", "x_um", "since", "takes_part"),
    [
        (1.12, 0.34, 10.0, 3, True),
        (1.04, 0.34, 10.0, 3, False),  # too short
        (1.12, 0.36, 10.0, 3, False),  # out of focus
        (1.12, -0.36, 10.0, 3, False),
        (1.12, 0.0, 1.1, 3, True),
        (1.12, 0.0, 0.9, 3, False),  # at the border of the field
        (1.12, 0.0, 18.9, 3, True),
        (1.12, 0.0, 19.1, 3, False),
        (1.12, 0.0, 10.0, 2, False),  # fresh from an event
    ],
)
def test_who_divides_is_long_in_focus_in_the_field_and_rested(
    length_um: float, z_um: float, x_um: float, since: int, takes_part: bool
) -> None:
    lineage = _lineage(fission_rate_per_min=1e6, fusion_rate_per_min=0.0)
    one = _straight(1, x_um, length_um=length_um, z_um=z_um)
    one.since_event = since
    tubules = [one]
    lineage.step(10, tubules, 2.0, np.random.default_rng(0))
    assert bool(lineage.events) == takes_part
    assert len(tubules) == 1 + takes_part


@pytest.mark.parametrize("seed", range(5))
def test_a_fission_leaves_at_least_a_third_on_each_side_and_a_gap(seed: int) -> None:
    lineage = _lineage(fission_rate_per_min=1e6)
    tubules = [_straight(1, 10.0, length_um=4.0)]
    lineage.step(10, tubules, 2.0, np.random.default_rng(seed))
    first, second = tubules
    assert first.length_um + second.length_um == pytest.approx(4.0)
    assert 0.35 * 4.0 - STEP_UM <= first.length_um <= 0.65 * 4.0 + STEP_UM
    gap = float(np.linalg.norm(second.nodes()[0] - first.nodes()[-1]))
    assert gap > first.radius_um + second.radius_um  # the halves no longer touch


@pytest.mark.parametrize(
    ("heading", "length_um", "fits"),
    [
        (0.0, 1.6, True),
        (1.5, 1.6, True),
        (1.64, 1.6, False),  # a hairpin, beyond a right angle
        (0.0, 4.4, True),
        (0.0, 4.5, False),  # longer than 1.2 times the longest
    ],
)
def test_a_fusion_makes_neither_a_hairpin_nor_a_monster(
    heading: float, length_um: float, fits: bool
) -> None:
    one, other = _straight(1, 5.0), _straight(2, 9.0, length_um=length_um, heading=heading)
    config = SceneConfig(mitochondria=Mitochondria(length_um=(0.3, 5.0)))
    assert _fits(one, other, True, False, config) == fits
