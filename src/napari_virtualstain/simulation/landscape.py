"""The cell round the mitochondria: nucleus, crowd about it, thickness, borders."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .scene_config import SceneConfig
from .tubule import Tubule

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Landscape:
    """Places of organelles in a field and its margin, micrometres.

    Attributes
    ----------
    field_um : tuple of float
        Height and width of the visible field, which starts at (0, 0).
    margin_um : float
        What is simulated round it, since blurred light and movement come from there.
    nucleus_um : tuple of float
        Centre (y, x) of the nucleus.
    axes_um : tuple of float
        Half axes of the nucleus.
    tilt : float
        Angle of its first axis, radians.
    crowding, crowd_width_um : float
        See :class:`~napari_virtualstain.simulation.Cell`.
    cell_height_um : float
        Height of the cell next to the nucleus.
    border : tuple of float, optional
        A point (y, x) of the cell's border and the angle of its outward normal, radians.
    """

    field_um: tuple[float, float]
    margin_um: float
    nucleus_um: tuple[float, float]
    axes_um: tuple[float, float]
    tilt: float
    crowding: float
    crowd_width_um: float
    cell_height_um: float
    border: tuple[float, float, float] | None = None

    @property
    def margin_ratio(self) -> float:
        """Area of the margin relative to that of the field."""
        height, width = self.field_um
        outer = (height + 2 * self.margin_um) * (width + 2 * self.margin_um)
        return outer / (height * width) - 1

    def outside_nucleus_um(self, y_um: ArrayLike, x_um: ArrayLike) -> FloatArray:
        """Return the distance to the rim of the nucleus, negative inside."""
        y = np.asarray(y_um, dtype=np.float64) - self.nucleus_um[0]
        x = np.asarray(x_um, dtype=np.float64) - self.nucleus_um[1]
        cosine, sine = math.cos(self.tilt), math.sin(self.tilt)
        first = (cosine * y + sine * x) / self.axes_um[0]
        second = (cosine * x - sine * y) / self.axes_um[1]
        return np.asarray((np.hypot(first, second) - 1) * math.sqrt(math.prod(self.axes_um)))

    def beyond_border_um(self, y_um: ArrayLike, x_um: ArrayLike) -> FloatArray:
        """Return the distance outwards from the border of the cell, which is wavy."""
        y, x = np.broadcast_arrays(
            np.asarray(y_um, dtype=np.float64), np.asarray(x_um, dtype=np.float64)
        )
        if self.border is None:
            return np.full(y.shape, -np.inf)
        start_y, start_x, angle = self.border
        outwards = (y - start_y) * math.sin(angle) + (x - start_x) * math.cos(angle)
        along = (x - start_x) * math.sin(angle) - (y - start_y) * math.cos(angle)
        return np.asarray(outwards + 1.2 * np.sin(along / 3.0))

    def covered(self, y_um: ArrayLike, x_um: ArrayLike) -> FloatArray:
        """Return 1 inside the cell and 0 beyond its border."""
        return np.asarray(
            1 / (1 + np.exp(np.clip(self.beyond_border_um(y_um, x_um) / 0.3, -60, 60)))
        )

    def crowd(self, y_um: ArrayLike, x_um: ArrayLike) -> FloatArray:
        """Return how crowded a place is: 1 at the rim of the nucleus, falling outwards."""
        distance = self.outside_nucleus_um(y_um, x_um)
        rise = 1 / (1 + np.exp(-np.clip((distance + 0.2) / 0.15, -60, 60)))
        near = rise * np.exp(-np.maximum(distance, 0) / self.crowd_width_um)
        return np.asarray(near * self.covered(y_um, x_um))

    def density(self, y_um: ArrayLike, x_um: ArrayLike, *, crowded: bool = False) -> FloatArray:
        """Return the relative density of mitochondria, or of the `crowded` granules.

        Granules keep nearer to the nucleus than mitochondria do.
        """
        share = 1 - (1 - self.crowding) / 4 if crowded else self.crowding
        even = np.where(self.outside_nucleus_um(y_um, x_um) > 0, 1.0, 0.05)
        even = even * self.covered(y_um, x_um)
        return np.asarray((1 - share) * even + share * self.crowd(y_um, x_um))

    def places(
        self,
        count: int,
        rng: np.random.Generator,
        inside: bool | None = None,
        *,
        crowded: bool = False,
    ) -> FloatArray:
        """Return random places (count, 2) as (y, x), in proportion to the density.

        `inside` True keeps to the field, False to the margin, None allows both.
        """
        low, high = (0.0, 0.0) if inside else (-self.margin_um, self.margin_um)
        height, width = self.field_um
        chosen = np.empty((0, 2))
        while len(chosen) < count:
            draw = rng.uniform(size=(max(64, 4 * count), 3))
            y = low + draw[:, 0] * (height + high - low)
            x = low + draw[:, 1] * (width + high - low)
            keep = draw[:, 2] < np.maximum(self.density(y, x, crowded=crowded), 1e-3)
            if inside is False:
                keep &= ~self.in_field(y, x)
            chosen = np.concatenate([chosen, np.stack([y[keep], x[keep]], axis=1)])
        return chosen[:count]

    def in_field(self, y_um: ArrayLike, x_um: ArrayLike) -> NDArray[np.bool_]:
        """Return whether places are in the visible field."""
        y, x = np.asarray(y_um), np.asarray(x_um)
        height, width = self.field_um
        return np.asarray((y >= 0) & (y < height) & (x >= 0) & (x < width))

    def blurred_height(self, place: FloatArray, rng: np.random.Generator) -> float:
        """Return a height out of focus: the cell is thick near the nucleus, thin outside."""
        distance = float(self.outside_nucleus_um(place[0], place[1]))
        top = 0.9 + self.cell_height_um * math.exp(-max(distance, 0) / (2 * self.crowd_width_um))
        above = rng.uniform() < 0.75
        return float(rng.uniform(0.7, top)) if above else -float(rng.uniform(0.7, 1.3))

    def contain(self, tubule: Tubule) -> None:
        """Reflect a mitochondrion at the outer border, in place."""
        for axis, extent in enumerate(self.field_um, start=1):
            low, high = -self.margin_um, extent + self.margin_um
            if not low <= tubule.centre[axis] <= high:
                bounced = min(max(tubule.centre[axis], low), high)
                tubule.home[axis] = tubule.centre[axis] = bounced
                tubule.velocity[axis - 1] *= -1
                tubule.run_velocity[axis - 1] *= -1


def draw_landscape(
    field_um: tuple[float, float],
    margin_um: float,
    config: SceneConfig,
    rng: np.random.Generator,
) -> Landscape:
    """Return a random landscape with the nucleus near a border of the field."""
    cell = config.cell
    side = rng.uniform(0, 2 * math.pi)
    reach = rng.uniform(*cell.nucleus_reach)
    first, second = rng.uniform(*cell.nucleus_um, size=2)
    centre = (
        field_um[0] * (0.5 + reach * math.sin(side)),
        field_um[1] * (0.5 + reach * math.cos(side)),
    )
    tilt = float(rng.uniform(0, math.pi))
    border = None
    if cell.border_chance and rng.uniform() < cell.border_chance:
        # opposite to the nucleus
        out = side + math.pi + rng.normal(0, 0.4)
        reach = rng.uniform(-0.15, 0.45)
        border = (
            field_um[0] * (0.5 + reach * math.sin(out)),
            field_um[1] * (0.5 + reach * math.cos(out)),
            float(out),
        )
    return Landscape(
        field_um=field_um,
        margin_um=margin_um,
        nucleus_um=centre,
        axes_um=(float(first), float(second)),
        tilt=tilt,
        crowding=cell.crowding,
        crowd_width_um=cell.crowd_width_um,
        cell_height_um=config.mitochondria.cell_height_um,
        border=border,
    )
