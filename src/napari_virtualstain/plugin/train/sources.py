"""The pairs of layers of a training: which frames go together, and which regions of them.

Fluorescence of every tenth frame is paired by time: the frame of the bright-field that is
nearest to it, if it is nearer than half an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...axes import are_unlike_sizes
from ...errors import InputError
from ...progress import counted
from ..layers.description import axes_of, provenance_of
from .drawn_regions import DrawnRegion, problem_of, shared

_SAME_SIZE = 0.01


@dataclass(frozen=True, slots=True)
class PairSource:
    """One pair of layers, copied in the GUI thread.

    Attributes
    ----------
    name : str
        Of the pair, for groups and messages.
    bright_field, fluorescence : array (..., Y, X)
        Lazy or not; the fluorescence is None where it is to be simulated.
    axes : str
        Of both, such as ``tzyx``.
    frames : tuple of int or None
        The bright-field frame of each fluorescence frame; None: one to one.
    regions : tuple of DrawnRegion
        None: the whole frames.
    """

    name: str
    bright_field: Any
    fluorescence: Any
    axes: str
    frames: tuple[int, ...] | None = None
    regions: tuple[DrawnRegion, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis of the fluorescence, by its letter."""
        return dict(zip(self.axes, map(int, self._target.shape), strict=True))

    @property
    def planes(self) -> int:
        """Number of pairs of planes."""
        return int(np.prod(self._target.shape[:-2], dtype=int))

    @property
    def _target(self) -> Any:
        return self.bright_field if self.fluorescence is None else self.fluorescence

    @property
    def images(self) -> int:
        """Number of training images: a plane and region each."""
        if not self.regions:
            return self.planes
        per_frame = self.planes // max(1, self.sizes.get("t", 1))
        return sum(
            self.planes if region.frame is None else per_frame * self._holds(region.frame)
            for region in self.regions
        )

    def _holds(self, frame: int) -> int:
        frames = range(self.sizes.get("t", 1)) if self.frames is None else self.frames
        return int(frame in frames)

    def why_not(self) -> str | None:
        """Return why the regions cannot be used, None when they can."""
        if (problem := problem_of(self.regions)) is not None:
            return problem
        for region in self.regions:
            if region.frame is not None and not self._holds(region.frame):
                return (
                    f"Region {region.number} is drawn on frame {region.frame}, which has no "
                    "fluorescence. Draw it on another frame, or let regions hold for all frames."
                )
        return None


def paired_frames(bright_field: Any, fluorescence: Any) -> tuple[int, ...] | None:
    """Return the bright-field frame of each fluorescence frame; None: one to one.

    Parameters
    ----------
    bright_field, fluorescence : napari.layers.Image
        Of one field.

    Raises
    ------
    InputError
        The layers differ in more than their frames, or a frame has no partner in time.
    """
    axes, shape, other = axes_of(bright_field), bright_field.data.shape, fluorescence.data.shape
    if shape == other:
        return None
    if axes != axes_of(fluorescence) or len(shape) != len(other) or "t" not in axes:
        raise InputError(_unlike(bright_field, fluorescence))
    along = axes.index("t")
    if _without(shape, along) != _without(other, along):
        raise InputError(_unlike(bright_field, fluorescence))
    times = [_times(layer, along) for layer in (bright_field, fluorescence)]
    frames = np.abs(times[0][:, None] - times[1][None]).argmin(axis=0)
    interval = abs(float(bright_field.scale[along]))
    far = np.abs(times[0][frames] - times[1]) > interval / 2
    if far.any() or len(set(frames.tolist())) < len(frames):
        raise InputError(
            f"{fluorescence.name!r} has {other[along]} frames and {bright_field.name!r} has "
            f"{shape[along]}, and their times do not fit: expected fluorescence frames at times of "
            "bright-field frames. Correct scale and translate of the layers along t."
        )
    return tuple(int(frame) for frame in frames)


def why_no_pair(bright_field: Any, fluorescence: Any) -> str | None:
    """Return why two layers are no pair, None when they are one."""
    if bright_field is None or fluorescence is None:
        return "Two layers are needed: bright-field and fluorescence of the same frames."
    if bright_field is fluorescence:
        return (
            f"{bright_field.name!r} is chosen twice. Choose the true fluorescence of the same "
            "frames beside the bright-field."
        )
    for layer in (bright_field, fluorescence):
        if (reason := _why_made(layer)) is not None:
            return reason
    try:
        paired_frames(bright_field, fluorescence)
    except InputError as error:
        return str(error)
    return None


def why_no_movie(bright_field: Any) -> str | None:
    """Return why nothing can be simulated like a layer, None when something can."""
    if bright_field is None:
        return "Choose the bright-field movie that the simulated pairs are to resemble."
    return _why_made(bright_field)


def simulated_text(sources: Sequence[PairSource], number: int) -> str:
    """Return what is going to be simulated, and what that promises."""
    from ...training import SIMULATED_PROMISE

    name = f"like {sources[0].name!r} " if sources else ""
    return (
        f"{number} pairs are simulated {name}with the NA, immersion and emission under Optics. "
        f"{SIMULATED_PROMISE}"
    )


def _why_made(layer: Any) -> str | None:
    if provenance_of(layer).get("step") in ("stain", "preview", "train"):
        return f"{layer.name!r} was made by a model. Choose layers that the microscope recorded."
    return None


def held_out_regions(sources: Sequence[PairSource]) -> list[tuple[PairSource, DrawnRegion]]:
    """Return the regions that are marked, or the last one where none is."""
    drawn = [(source, region) for source in sources for region in source.regions]
    return [(s, region) for s, region in drawn if region.held_out] or drawn[-1:]


def pixel_size_text(given_um: float, stated_um: float | None, card: Any) -> str:
    """Return where the pixel sizes of field, layer and starting model disagree, or nothing.

    Parameters
    ----------
    given_um : float
        In the form, micrometres.
    stated_um : float or None
        That the layer states.
    card : ModelCard or None
        Of the model to start from.
    """
    if stated_um and not np.isclose(given_um, stated_um, rtol=_SAME_SIZE):
        return f"Pixel size says {given_um:.4g} µm, but the layer states {stated_um:.4g} µm."
    model_um = None if card is None else card.pixel_size_um
    if model_um and are_unlike_sizes(given_um, model_um):
        return (
            f"{card.name!r} was trained at {model_um:.4g} µm per pixel, the movie has "
            f"{given_um:.4g} µm. Check the size; pairs are interpolated up to four times."
        )
    return ""


def pairing_text(
    sources: Sequence[PairSource], held_out: str, *, unit: str = "frame", crop_size: int = 0
) -> str:
    """Return in a line what pairs with what.

    Parameters
    ----------
    sources : sequence of PairSource
        One a row.
    held_out : str
        What is held out, in words.
    unit : str
        What a plane is called.
    crop_size : int
        Side of the crops that are asked for, pixels.
    """
    lines = []
    for source in sources:
        begin = f"{source.name}: " if len(sources) > 1 else ""
        planes = counted(source.planes, unit)
        if source.frames is not None:
            shown = ", ".join(map(str, source.frames[:6])) + ", …" * (len(source.frames) > 6)
            planes += f" (of bright-field frames {shown})"
        if not source.regions:
            lines.append(f"{begin}{planes} = {counted(source.images, 'pair')}, whole images")
            continue
        own = any(region.frame is not None for region in source.regions)
        times = "on their frames" if own else f"x {planes}"
        count = counted(len(source.regions), "region")
        lines.append(f"{begin}{count} {times} = {counted(source.images, 'pair')}")
        if cut := [f"{a.number} and {b.number}" for a, b in shared(source.regions)]:
            lines.append(f"Regions {'; '.join(cut)} overlap: their common pixels count twice.")
    lines[-1] += f", {held_out} held out" if held_out else ""
    usable = [source for source in sources if source.why_not() is None]
    smallest = min((min(r.size) for s in usable for r in s.regions), default=crop_size)
    if smallest < crop_size:
        lines.append(f"The smallest region is {smallest} px: crops are no larger than that.")
    return "\n".join(lines)


def _without(shape: Sequence[int], along: int) -> tuple[int, ...]:
    return (*shape[:along], *shape[along + 1 :])


def _times(layer: Any, along: int) -> np.ndarray:
    count = layer.data.shape[along]
    return float(layer.translate[along]) + float(layer.scale[along]) * np.arange(count)


def _unlike(first: Any, second: Any) -> str:
    return (
        f"The layers have unlike shapes, {tuple(first.data.shape)} and "
        f"{tuple(second.data.shape)}. Choose layers of the same field at the same size; only "
        "the number of frames may differ."
    )
