"""Simulation of a correlative movie of living mitochondria."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..axes import check_positive
from ..errors import InputError, check_kind
from ..progress import CancelToken, ProgressCallback, Reporter
from .fission_fusion import Event, Lineage
from .landscape import Landscape, draw_landscape
from .population import move, settle
from .rendering import Backdrop, bright_field, draw_backdrop, fluorescence, photograph
from .scene import Scene
from .scene_config import SceneConfig
from .surroundings import Surroundings, draw_surroundings
from .transfer_functions import MARGIN_UM, tables
from .truth import draw_labels, frame_table
from .tubule import Tubule

PIXEL_RANGE_UM = (0.01, 0.5)


def simulate(
    *,
    frames: int = 20,
    size: int | tuple[int, int] = 256,
    count: int = 25,
    seed: int = 0,
    density: float | None = None,
    pixel_size_um: float = 0.08,
    frame_interval_s: float = 2.0,
    config: SceneConfig | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Scene:
    """Return a correlative movie of mitochondria with its truth.

    Parameters
    ----------
    frames : int
        Number of frames.
    size : int or (int, int)
        Pixels along y and x.
    count : int
        Mitochondria in focus in the field of the first frame. Blurred ones above and
        below come on top, and others drift in from outside.
    seed : int
        The same seed and settings give the same movie, bit for bit.
    density : float, optional
        Mitochondria in focus per 100 µm²; replaces `count`.
    pixel_size_um, frame_interval_s : float
        Geometry.
    config : SceneConfig, optional
        All else: optics, shapes, motion, surroundings, camera.
    progress, cancel : callable and CancelToken, optional
        Called after each frame; checked before each.

    Returns
    -------
    Scene

    Raises
    ------
    InputError
        A number is not physical or the field too small.
    CancelledError
        `cancel` was raised.

    Examples
    --------
    >>> scene = simulate(frames=2, size=64, count=3, seed=1)
    >>> scene.bright_field.shape, scene.bright_field.dtype
    ((2, 64, 64), dtype('uint16'))
    """
    config = SceneConfig() if config is None else config
    check_kind(config, SceneConfig, "config", "a SceneConfig")
    field = checked_size(size)
    _check(frames, count, seed, density, pixel_size_um, frame_interval_s)
    _check_movie(frames, field)
    field_um = (field[0] * pixel_size_um, field[1] * pixel_size_um)
    if density is not None:
        count = round(density * math.prod(field_um) / 100)
    _check_room(count, field_um)
    stage = _Stage(field, field_um, count, seed, pixel_size_um, config)
    reporter = Reporter(frames, "frame", "simulating", progress, cancel)
    reporter.check()
    shots = []
    for frame in range(frames):
        if frame:
            stage.advance(frame, frame_interval_s)
        shots.append(stage.shoot(frame, frame * frame_interval_s))
        reporter.advance()
    light, dark, clean, labels, rows = zip(*shots, strict=True)
    return Scene(
        bright_field=np.stack(light),
        fluorescence=np.stack(dark),
        expected_fluorescence=np.stack(clean),
        labels=np.stack(labels),
        tracks=pd.concat(rows, ignore_index=True).sort_values(
            ["track_id", "frame"], ignore_index=True
        ),
        events=_event_table(stage.lineage.events),
        pixel_size_um=float(pixel_size_um),
        frame_interval_s=float(frame_interval_s),
        seed=int(seed),
        config=config,
    )


Shot = tuple[
    NDArray[np.uint16], NDArray[np.uint16], NDArray[np.float32], NDArray[np.int32], pd.DataFrame
]


class _Stage:
    """All that lives in a scene, and the camera that looks at it."""

    landscape: Landscape
    surroundings: Surroundings
    backdrop: Backdrop
    focused: list[Tubule]
    blurred: list[Tubule]

    def __init__(
        self,
        field: tuple[int, int],
        field_um: tuple[float, float],
        count: int,
        seed: int,
        pixel_size_um: float,
        config: SceneConfig,
    ) -> None:
        # Separate streams: more granules do not change where the mitochondria go.
        streams = np.random.SeedSequence(seed).spawn(6)
        shape, cast, setting, self._walk, self._fate, self._shots = map(
            np.random.default_rng, streams
        )
        self._field, self._pixel_size_um, self._config = field, pixel_size_um, config
        self.landscape = draw_landscape(field_um, MARGIN_UM, config, shape)
        self.focused, self.blurred = settle(count, self.landscape, config, cast)
        self.surroundings = draw_surroundings(self.landscape, config, setting)
        self.backdrop = draw_backdrop(field, pixel_size_um, self.landscape, config, shape)
        self.lineage = Lineage(config, self.landscape, next_id=len(self.focused) + 1)
        self._setting = setting

    def advance(self, frame: int, step_s: float) -> None:
        """Let one frame pass."""
        move(self.focused, step_s, self.landscape, self._config, self._walk)
        move(self.blurred, step_s, self.landscape, self._config, self._walk)
        self.lineage.step(frame, self.focused, step_s, self._fate)
        self.surroundings.advance(step_s, self._setting)

    def shoot(self, frame: int, time_s: float) -> Shot:
        """Return both images, the expected fluorescence, the labels and their table."""
        config, pixel = self._config, self._pixel_size_um
        filters = tables(config.microscope, pixel, self._field)
        everyone = [*self.focused, *self.blurred]
        nodes = [tubule.nodes() for tubule in everyone]
        clean = fluorescence(everyone, nodes, self.backdrop, filters, pixel, config, time_s)
        light = bright_field(
            everyone, nodes, self.surroundings, self.backdrop, filters, pixel, config
        )
        number = len(self.focused)
        labels = draw_labels(self.focused, nodes[:number], self._field, pixel, config.mitochondria)
        return (
            photograph(light, config, self._shots),
            photograph(clean, config, self._shots),
            clean,
            labels,
            frame_table(frame, labels, self.focused, pixel),
        )


def _event_table(events: list[Event]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": [event.kind for event in events],
            "frame": np.array([event.frame for event in events], dtype=np.int64),
            "y_um": np.array([event.y_um for event in events], dtype=np.float64),
            "x_um": np.array([event.x_um for event in events], dtype=np.float64),
            "parents": [";".join(map(str, event.parents)) for event in events],
            "children": [";".join(map(str, event.children)) for event in events],
        }
    )


_MOST = 2**32 - 1
_LARGEST_SIZE = 16_384
_MOST_PIXELS = 4_000_000_000


def checked_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return the size as (height, width) after checking it."""
    given: Any = size
    is_pair = isinstance(given, (tuple, list)) or getattr(given, "ndim", 0) > 0
    pair = tuple(given) if is_pair else (given, given)
    if len(pair) != 2 or not all(_is_extent(extent) for extent in pair):
        raise InputError(
            f"The size is {size!r} pixels: expected one whole number or (height, width), "
            f"each at least 16 and at most {_LARGEST_SIZE}."
        )
    return int(pair[0]), int(pair[1])


def _is_extent(extent: object) -> bool:
    is_number = isinstance(extent, (int, float, np.number)) and not isinstance(extent, bool)
    return is_number and 16 <= extent <= _LARGEST_SIZE and int(extent) == extent  # type: ignore[operator, call-overload, no-any-return]


def _check_movie(frames: int, field: tuple[int, int]) -> None:
    """Refuse a movie that no memory holds, before it is begun."""
    if frames * field[0] * field[1] > _MOST_PIXELS:
        raise InputError(
            f"{frames} frames of {field[0]} × {field[1]} px were asked for: expected at most "
            f"{_MOST_PIXELS:.1g} pixels in all. Simulate fewer frames, or smaller ones."
        )


def _check(
    frames: int,
    count: int,
    seed: int,
    density: float | None,
    pixel_size_um: float,
    frame_interval_s: float,
) -> None:
    for given, name, least in (
        (frames, "number of frames", 1),
        (count, "count", 0),
        (seed, "seed", 0),
    ):
        if not isinstance(given, (int, np.integer)) or not least <= given <= _MOST:
            raise InputError(
                f"The {name} is {given!r}: expected a whole number from {least} to {_MOST}."
            )
    is_number = isinstance(density, (int, float, np.number))
    if density is not None and not (is_number and math.isfinite(density) and density >= 0):
        raise InputError(
            f"The density is {density}: expected a number of at least 0, mitochondria in 100 µm²."
        )
    for value, name, unit in (
        (pixel_size_um, "pixel size", "µm"),
        (frame_interval_s, "frame interval", "s"),
    ):
        if check_positive(value, name, unit) is None:
            raise InputError(f"The {name} is None: expected a positive number of {unit}.")
    finest, coarsest = PIXEL_RANGE_UM
    if not finest <= pixel_size_um <= coarsest:
        raise InputError(
            f"The pixel size is {pixel_size_um} µm: expected {finest} to {coarsest} µm, since "
            "mitochondria are 0.3 to 0.5 µm wide."
        )


def _check_room(count: int, field_um: tuple[float, float]) -> None:
    """Refuse more mitochondria than fit, before they take minutes to place."""
    area = math.prod(field_um)
    most = max(50, round(2 * area))
    if count > most:
        raise InputError(
            f"The count is {count} in a field of {area:.0f} µm²: expected at most {most}. "
            "Make the field larger or the count smaller."
        )
