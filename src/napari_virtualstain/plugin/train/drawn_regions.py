"""Regions drawn in a Shapes layer: what trains, what is held out, and what cannot be used.

A region is a rectangle or a polygon on the image. Its role stands in the features of the
layer, so that it is saved and copied with it; its colour shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..kit.layer_region import onto, outline
from ..layers.description import axes_of, flat_geometry, geometry_of, layer_name

ROLE, TRAIN, HELD_OUT = "role", "train", "held out"
# a pair that colour-blind eyes tell apart, visible on grey and on magenta
COLOURS = {TRAIN: "#00b7eb", HELD_OUT: "#ff9f1c"}
LEAST_PX = 16
# what the search for shared pixels sees: see data/leakage.py
_OVERLAP_PX = 8


@dataclass(frozen=True, slots=True)
class DrawnRegion:
    """One shape in the pixels of its image.

    Attributes
    ----------
    number : int
        Counted from 1, as the user counts.
    box : tuple of int
        (y0, x0, y1, x1), end exclusive, inside the image.
    vertices : tuple of (y, x)
        Of a polygon; none for a rectangle.
    frame : int or None
        The only frame it holds for; None: all.
    held_out : bool
        Whether it judges instead of training.
    problem : str
        Why it cannot be used, for the user; empty when it can.
    """

    number: int
    box: tuple[int, int, int, int]
    vertices: tuple[tuple[float, float], ...] = ()
    frame: int | None = None
    held_out: bool = False
    problem: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.box[2] - self.box[0], self.box[3] - self.box[1]


def add_regions_layer(viewer: Any, image: Any, *, each_frame: bool) -> Any:
    """Add an empty Shapes layer on `image`, ready to draw rectangles in, and return it.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to add it.
    image : napari.layers.Image
        Whose geometry it takes.
    each_frame : bool
        Whether a shape belongs to the frame it is drawn on; otherwise it shows on all.
    """
    geometry = geometry_of(image) if each_frame else flat_geometry(geometry_of(image))
    layer = viewer.add_shapes(
        None,
        ndim=image.ndim if each_frame else 2,
        name=layer_name(image.name, "regions"),
        face_color="transparent",
        edge_color=COLOURS[TRAIN],
        edge_width=2,
        features=pd.DataFrame({ROLE: pd.Series([], dtype=str)}),
        **geometry,
    )
    layer.feature_defaults = pd.DataFrame({ROLE: [TRAIN]})
    viewer.layers.selection.active = layer
    layer.mode = "add_rectangle"
    return layer


def roles_of(shapes: Any) -> list[str]:
    """Return the role of each shape; those of other layers all train."""
    known = shapes.features.get(ROLE)
    if known is None:
        return [TRAIN] * len(shapes.data)
    # while napari tells that shapes are removed, their features are still there
    return [HELD_OUT if value == HELD_OUT else TRAIN for value in known[: len(shapes.data)]]


def give_role(shapes: Any, chosen: Sequence[int], role: str) -> None:
    """Give some shapes a role and its colour."""
    roles = roles_of(shapes)
    for index in chosen:
        roles[index] = role
    shapes.features = pd.DataFrame({**shapes.features, ROLE: roles})
    shapes.edge_color = [COLOURS[role] for role in roles]
    shapes.face_color = "transparent"
    shapes.refresh()


def read_regions(image: Any, shapes: Any, *, each_frame: bool = False) -> tuple[DrawnRegion, ...]:
    """Return every shape of a layer as a region of `image`, the unusable ones with a problem."""
    if shapes is None:
        return ()
    roles, axes = roles_of(shapes), axes_of(image)
    kinds = [str(kind) for kind in shapes.shape_type]
    regions = []
    for index, (vertices, role, kind) in enumerate(zip(shapes.data, roles, kinds, strict=True)):
        frame = None
        if each_frame and "t" in axes and shapes.ndim == image.ndim:
            frame = _frame_of(image, shapes, np.asarray(vertices, float), axes.index("t"))
        regions.append(
            replace(
                _region(image, shapes, index + 1, np.asarray(vertices, float), kind),
                frame=frame,
                held_out=role == HELD_OUT,
            )
        )
    return tuple(regions)


def problem_of(regions: Sequence[DrawnRegion]) -> str | None:
    """Return the first reason why regions cannot be used as drawn, None when they can."""
    return next((region.problem for region in regions if region.problem), None)


def shared(regions: Sequence[DrawnRegion]) -> list[tuple[DrawnRegion, DrawnRegion]]:
    """Return the pairs of regions that have more than a rim of pixels in common.

    Examples
    --------
    >>> one, other = DrawnRegion(1, (0, 0, 40, 40)), DrawnRegion(2, (0, 30, 40, 70))
    >>> [(a.number, b.number) for a, b in shared([one, other])]
    [(1, 2)]
    """
    return [
        (one, other)
        for one, other in combinations(regions, 2)
        if one.frame is None or other.frame is None or one.frame == other.frame
        if min(one.box[2], other.box[2]) - max(one.box[0], other.box[0]) >= _OVERLAP_PX
        if min(one.box[3], other.box[3]) - max(one.box[1], other.box[1]) >= _OVERLAP_PX
    ]


def _region(image: Any, shapes: Any, number: int, vertices: np.ndarray, kind: str) -> DrawnRegion:
    rows, columns = onto(image, shapes, outline(kind, vertices))
    limits: list[int] = []
    for values, size in zip((rows, columns), image.data.shape[-2:], strict=True):
        limits += [max(0, round(values.min())), min(int(size), round(values.max()) + 1)]
    y0, y1, x0, x1 = limits
    region = DrawnRegion(number, (y0, x0, y1, x1))
    if kind in ("path", "line"):
        return replace(
            region,
            problem=f"Region {number} is a {kind}, which has no inside. Delete it, or draw a "
            "rectangle or polygon.",
        )
    if y1 <= y0 or x1 <= x0:
        return replace(
            region,
            problem=f"Region {number} lies outside the image {image.name!r}. Draw it on the "
            "image, or delete it.",
        )
    if min(region.size) < LEAST_PX:
        return replace(
            region,
            problem=f"Region {number} is {region.size[0]} x {region.size[1]} pixels on the image; "
            f"at least {LEAST_PX} x {LEAST_PX} are needed. Draw it larger, or delete it.",
        )
    if kind == "rectangle" and _is_upright(rows, columns):
        return region
    corners = tuple((float(y), float(x)) for y, x in zip(rows, columns, strict=True))
    return replace(region, vertices=corners)


def _is_upright(rows: np.ndarray, columns: np.ndarray) -> bool:
    """Whether the corners of a rectangle lie on two rows and two columns."""
    return all(
        bool(np.all(np.minimum(values - values.min(), values.max() - values) < 0.5))
        for values in (rows, columns)
    )


def _frame_of(image: Any, shapes: Any, vertices: np.ndarray, along: int) -> int:
    world = np.asarray(shapes.data_to_world(vertices[0]), float)
    frame = round(float(np.asarray(image.world_to_data(world))[along]))
    return int(np.clip(frame, 0, image.data.shape[along] - 1))
