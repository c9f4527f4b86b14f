"""Many independent still pairs with varied optics, noise and crowding, for training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..progress import CancelToken, ProgressCallback, Reporter
from .scene import Scene
from .scene_config import Camera, Cell, Microscope, Mitochondria, SceneConfig
from .simulate import checked_size, simulate

_MICROSCOPES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One simulated pair with its truth.

    Attributes
    ----------
    bright_field, fluorescence : ndarray of shape (Y, X), uint16
        Camera counts.
    expected_fluorescence : ndarray of shape (Y, X), float32
        Photo-electrons before noise.
    labels : ndarray of shape (Y, X), int32
        Mitochondria in focus, 1 to N.
    pixel_size_um : float
        Size of a pixel.
    config : SceneConfig
        What it was drawn with.
    """

    bright_field: NDArray[np.uint16]
    fluorescence: NDArray[np.uint16]
    expected_fluorescence: NDArray[np.float32]
    labels: NDArray[np.int32]
    pixel_size_um: float
    config: SceneConfig

    @property
    def in_focus(self) -> NDArray[np.bool_]:
        """Where a mitochondrion is in focus, shape (Y, X)."""
        return np.asarray(self.labels > 0)


def simulate_frames(
    number: int,
    *,
    size: int | tuple[int, int] = 256,
    seed: int = 0,
    start: int = 0,
    density: tuple[float, float] = (4.0, 18.0),
    pixel_size_um: float = 0.08,
    config: SceneConfig | None = None,
    vary: bool = True,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[Still]:
    """Yield independent pairs, each another cell under another microscope.

    Pair i depends on `seed` and i only, so that workers can share a set by `start`.

    Parameters
    ----------
    number : int
        How many.
    size : int or (int, int)
        Pixels along y and x.
    seed, start : int
        Of the set, and the index of the first pair.
    density : (float, float)
        Fewest and most mitochondria in focus per 100 µm², log-uniform.
    pixel_size_um : float
        Size of a pixel.
    config : SceneConfig, optional
        The middle of what is varied.
    vary : bool
        False keeps `config` as it is; only the cell differs.
    progress, cancel : callable and CancelToken, optional
        Called after each pair; checked before each.

    Yields
    ------
    Still

    Examples
    --------
    >>> [still.labels.shape for still in simulate_frames(2, size=32)]
    [(32, 32), (32, 32)]
    """
    base = config or SceneConfig()
    field = checked_size(size)
    fewest, most = density
    if number < 0 or start < 0 or seed < 0:
        raise InputError(
            f"number, start and seed are {number}, {start}, {seed}: expected at least 0."
        )
    if not 0 < fewest <= most or not math.isfinite(most):
        raise InputError(f"density is {density}: expected two numbers above 0, the lower first.")
    return _stills(
        base,
        field,
        seed,
        range(start, start + number),
        (fewest, most),
        pixel_size_um,
        vary,
        Reporter(number, "pair", "simulating", progress, cancel),
    )


def _stills(
    base: SceneConfig,
    field: tuple[int, int],
    seed: int,
    indices: range,
    density: tuple[float, float],
    pixel_size_um: float,
    vary: bool,
    reporter: Reporter,
) -> Iterator[Still]:
    for index in indices:
        reporter.check()
        rng = np.random.default_rng([seed, index])
        drawn = varied(base, rng, seed) if vary else base
        scene = simulate(
            frames=1,
            size=field,
            seed=int(rng.integers(2**31)),
            density=_log_uniform(rng, *density),
            pixel_size_um=pixel_size_um,
            config=drawn,
        )
        yield still_of(scene)
        reporter.advance()


def still_of(scene: Scene) -> Still:
    """Return the first frame of a scene, its labels without gaps."""
    labels, _ = np.unique(scene.labels[0], return_inverse=True)
    compact = np.searchsorted(labels, scene.labels[0]).astype(np.int32)
    return Still(
        bright_field=scene.bright_field[0],
        fluorescence=scene.fluorescence[0],
        expected_fluorescence=scene.expected_fluorescence[0],
        labels=compact if labels[0] == 0 else compact + np.int32(1),
        pixel_size_um=scene.pixel_size_um,
        config=scene.config,
    )


def varied(base: SceneConfig, rng: np.random.Generator, seed: int = 0) -> SceneConfig:
    """Return `base` with random optics, shapes, surroundings and light.

    Microscopes come from a set of 12 for each `seed`, because their tables take longer
    than a pair.

    Notes
    -----
    The ranges are wider than what one microscope shows: a network that starts from such pairs
    finds more in real cells (``docs/evidence/models.md``). The parts draw from `rng` in this order,
    on which the images of a seed depend.
    """
    optics = np.random.default_rng([seed, 7, int(rng.integers(_MICROSCOPES))])
    return replace(
        base,
        microscope=_varied_microscope(base.microscope, optics),
        mitochondria=_varied_mitochondria(base.mitochondria, rng),
        cell=_varied_cell(base.cell, rng),
        camera=_varied_camera(base.camera, rng),
    )


def _varied_microscope(base: Microscope, rng: np.random.Generator) -> Microscope:
    return replace(
        base,
        n_sample=base.n_sample + rng.uniform(-0.03, 0.01),
        emission_um=base.emission_um * rng.uniform(0.86, 1.03),
        focus_depth_um=base.focus_depth_um * _log_uniform(rng, 0.4, 2.0),
        condenser_na=min(base.condenser_na * rng.uniform(0.7, 1.3), base.na),
        bright_field_offset_um=base.bright_field_offset_um + rng.normal(0, 0.35),
    )


def _varied_mitochondria(base: Mitochondria, rng: np.random.Generator) -> Mitochondria:
    """Return other shapes and brightness; in a quarter of the cells they are swollen."""
    swollen = rng.uniform() < 0.25
    width = _log_uniform(rng, 1.35, 2.3) if swollen else _log_uniform(rng, 0.85, 1.35)
    thin, thick = base.radius_um
    shortest, longest = base.length_um
    return replace(
        base,
        persistence_um=base.persistence_um * _log_uniform(rng, 0.6, 3.0),
        length_um=(shortest, longest * _log_uniform(rng, 0.4, 3.0)),
        radius_um=(thin * width, thick * width),
        out_of_focus_ratio=base.out_of_focus_ratio * _log_uniform(rng, 0.3, 2.5),
        photons_per_um=base.photons_per_um * _log_uniform(rng, 0.3, 2.0),
        brightness_sd=base.brightness_sd * rng.uniform(0.5, 1.5),
        height_sd_um=base.height_sd_um * rng.uniform(0.6, 1.8),
        # The thicker, the weaker: swelling dilutes the matrix.
        delta_index=base.delta_index * rng.uniform(0.4, 1.5) / max(width, 1.0),
    )


def _varied_cell(base: Cell, rng: np.random.Generator) -> Cell:
    """Return other surroundings, some of which (clusters, stress fibres) most cells lack."""
    return replace(
        base,
        crowding=float(np.clip(base.crowding + rng.normal(0, 0.25), 0, 1)),
        crowd_width_um=base.crowd_width_um * _log_uniform(rng, 0.6, 4.0),
        granules_per_um2=base.granules_per_um2 * _log_uniform(rng, 0.3, 4.0),
        granule_radius_um=base.granule_radius_um * _log_uniform(rng, 0.75, 1.5),
        granule_delta_index=base.granule_delta_index * rng.uniform(0.3, 1.2),
        folds=float(rng.uniform(0.0, 1.0)),
        nucleus_reach=(base.nucleus_reach[0], max(base.nucleus_reach[1], 0.95)),
        droplets_per_um2=base.droplets_per_um2 * _log_uniform(rng, 0.1, 6.0),
        texture=base.texture * _log_uniform(rng, 0.4, 2.5),
        fibres=int(rng.integers(0, 3 * base.fibres + 1)),
        clusters=base.clusters + float(rng.choice([0.0, 0.0, 1.0, 3.0, 6.0])),
        chromatin_delta_index=base.chromatin_delta_index * _log_uniform(rng, 0.3, 4.0),
        nucleoli=base.nucleoli + int(rng.integers(0, 5)),
        stress_fibres=base.stress_fibres + float(rng.choice([0.0, 0.0, 0.0, 1.0, 3.0])),
        border_chance=max(base.border_chance, 0.3),
        illumination_sd=base.illumination_sd * _log_uniform(rng, 0.4, 2.0),
        haze=base.haze * _log_uniform(rng, 0.2, 3.0),
    )


def _varied_camera(base: Camera, rng: np.random.Generator) -> Camera:
    return replace(
        base,
        background=base.background * _log_uniform(rng, 0.3, 3.0),
        bright_field_electrons=base.bright_field_electrons * _log_uniform(rng, 0.4, 2.0),
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))
