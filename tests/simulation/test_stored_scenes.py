"""A seed gives the same scene in every version: published sets are made from seeds."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from stored_figures import check_figures, of_array, of_table

from napari_virtualstain.simulation import (
    Cell,
    Microscope,
    Motion,
    SceneConfig,
    simulate,
    simulate_frames,
)
from napari_virtualstain.simulation.likeness import _possible, bright_field_statistics
from napari_virtualstain.simulation.stills import varied

LIVELY = SceneConfig(
    motion=Motion(fission_rate_per_min=6.0, fusion_rate_per_min=6.0, burst_rate_hz=0.05)
)
EVERYTHING = SceneConfig(
    cell=Cell(
        droplets_per_um2=0.4,
        fibres=12,
        clusters=20.0,
        chromatin_delta_index=0.01,
        nucleoli=3,
        nucleus_reach=(0.1, 0.2),
        stress_fibres=20.0,
        folds=1.0,
        border_chance=1.0,
    )
)


def of_images(scene: Any) -> dict[str, float]:
    found = {}
    for name in ("bright_field", "fluorescence", "expected_fluorescence", "labels"):
        found |= of_array(name, getattr(scene, name))
    return found


def test_a_movie() -> None:
    scene = simulate(
        frames=10, size=(96, 112), count=20, seed=2, frame_interval_s=3.0, config=LIVELY
    )
    kinds = scene.events.kind.value_counts()
    events = {f"events {kind}": float(kinds[kind]) for kind in ("fission", "fusion")}
    found = of_images(scene) | of_table("tracks", scene.tracks) | events
    check_figures("scene_movie", found, tolerance=2e-3)


def test_an_image_with_all_that_surrounds_mitochondria() -> None:
    scene = simulate(frames=1, size=128, count=6, seed=4, config=EVERYTHING)
    check_figures("scene_surroundings", of_images(scene), tolerance=2e-3)


def test_pairs_for_training() -> None:
    found = {}
    for index, still in enumerate(simulate_frames(2, size=64, seed=2)):
        found |= {f"{index} {key}": value for key, value in of_images(still).items()}
    check_figures("scene_pairs", found, tolerance=2e-3)


def spreads(configs: list[dict[str, Any]]) -> dict[str, float]:
    """Return mean and spread of each number of several settings."""
    found: dict[str, float] = {}
    for part, numbers in configs[0].items():
        for name in numbers:
            drawn = np.array([config[part][name] for config in configs], np.float64)
            found[f"{part}.{name} mean"] = float(drawn.mean())
            found[f"{part}.{name} sd"] = float(drawn.std())
    return found


def test_settings_that_are_not_given() -> None:
    check_figures("scene_defaults", spreads([asdict(SceneConfig())]))


def test_settings_of_pairs_for_training() -> None:
    base = SceneConfig(microscope=Microscope(na=1.1, condenser_na=0.9))
    drawn = [asdict(varied(base, np.random.default_rng([7, k]), seed=k)) for k in range(40)]
    check_figures("scene_settings", spreads(drawn), tolerance=1e-5)


@pytest.mark.parametrize("known", [False, True])
def test_optics_that_the_stated_ones_may_be(known: bool) -> None:
    base = Microscope(na=1.1, condenser_na=0.9)
    drawn = []
    for k in range(40):
        optics = _possible(base, np.random.default_rng(k), known, known)
        drawn.append({"microscope": asdict(optics)})
    check_figures(f"scene_optics_{'known' if known else 'unknown'}", spreads(drawn), tolerance=1e-5)


def test_statistics_of_bright_field() -> None:
    image = next(simulate_frames(1, size=64, seed=6)).expected_fluorescence
    values = bright_field_statistics(image + np.random.default_rng(0).normal(0, 5, image.shape))
    found = {f"statistic {k}": float(value) for k, value in enumerate(values)}
    check_figures("scene_statistics", found)


def test_surroundings_are_really_there() -> None:
    bare = replace(EVERYTHING, cell=Cell(granules_per_um2=0.0, texture=0.0, fibres=0))
    scenes = [simulate(frames=1, size=64, count=2, seed=4, config=c) for c in (bare, EVERYTHING)]
    quiet, busy = (scene.bright_field.astype(float).std() for scene in scenes)
    assert busy > 1.5 * quiet
