"""A lazily read image with its axes and physical geometry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..axes import Geometry
from ..errors import AxesError, InputError, check_kind
from .stated_optics import NOT_STATED, StatedOptics

if TYPE_CHECKING:
    import dask.array as da
    import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """An image of up to five dimensions; nothing is read until it is computed.

    Attributes
    ----------
    data : dask array
        One chunk is one (y, x) plane, so one frame read touches one frame.
    axes : str
        One letter for each dimension of `data`, a part of ``"tczyx"`` in that order.
        Axes t, c and z of length one are left out.
    pixel_size_um, z_step_um : float or None
        Micrometres, None when neither the file nor the caller knows.
    frame_interval_s : float or None
        Seconds from frame to frame, None when not known.
    channel_names : tuple of str
        As many as the c axis is long, empty when the file names none.
    name : str
        What to call the image: file or folder name without extension.
    source : Path or None
        Where it was read from.
    notes : tuple of str
        What a person should know about how the file was read: metadata that was
        ignored because it cannot be true, axes that were assumed.
    assumed_axes : bool
        Whether neither the file nor the caller named the axes.
    optics : StatedOptics
        Objective and emission of each channel, as far as the file states them.

    Examples
    --------
    >>> import dask.array as da
    >>> stack = Stack(da.zeros((5, 64, 64), chunks=(1, 64, 64)), "tyx", pixel_size_um=0.08)
    >>> stack.geometry.scale
    (1.0, 0.08, 0.08)
    """

    data: da.Array
    axes: str
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    z_step_um: float | None = None
    channel_names: tuple[str, ...] = ()
    name: str = ""
    source: Path | None = None
    notes: tuple[str, ...] = ()
    assumed_axes: bool = False
    optics: StatedOptics = NOT_STATED

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(int(length) for length in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel, in the byte order of this machine."""
        dtype: np.dtype[Any] = self.data.dtype
        return dtype

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis by its letter."""
        return dict(zip(self.axes, self.shape, strict=True))

    @property
    def geometry(self) -> Geometry:
        """Steps and units of the axes."""
        return Geometry(self.axes, self.pixel_size_um, self.frame_interval_s, self.z_step_um)

    def select_channel(self, channel: int | str) -> Stack:
        """Return the stack of one channel, still lazy.

        Parameters
        ----------
        channel : int or str
            Position along c from 0 (negative from the end), or a channel name.

        Raises
        ------
        AxesError
            There is no c axis and `channel` is neither 0 nor -1 nor the only name.
        InputError
            There is no such channel; the message lists those there are.
        """
        check_kind(channel, (Integral, str), "channel", "a position from 0 or a name")
        if "c" not in self.axes:
            if channel in (0, -1, "0", "-1", *self.channel_names):
                return self
            raise AxesError(
                f"Channel {channel!r} was asked for but {self.name or 'the image'} has one "
                f"channel only (axes {self.axes!r}). Leave the channel out."
            )
        index = self._channel_index(channel)
        names = self.channel_names[index : index + 1]
        axis = self.axes.index("c")
        data = self.data[(slice(None),) * axis + (index,)]
        return replace(
            self,
            data=data,
            axes=self.axes.replace("c", ""),
            channel_names=names,
            optics=self.optics.of_channel(index),
        )

    def _channel_index(self, channel: int | str) -> int:
        count = self.sizes["c"]
        if isinstance(channel, str):
            if channel in self.channel_names:
                return self.channel_names.index(channel)
            if channel.lstrip("-").isdigit():
                return self._channel_index(int(channel))
        elif -count <= channel < count:
            return channel % count
        listed = ", ".join(
            f"{i} ({name})" if name else str(i)
            for i, name in enumerate(self.channel_names or ("",) * count)
        )
        raise InputError(
            f"There is no channel {channel!r} in {self.name or 'the image'}. "
            f"It has {count}: {listed}. Give one of these."
        )

    def describe(self) -> str:
        """Return one line for a person: lengths, pixel type, pixel size, interval."""
        sizes = self.sizes
        parts = [f"{sizes[axis]} {word}" for axis, word in _COUNTED.items() if axis in sizes]
        parts.append(f"{sizes['y']} × {sizes['x']} px")
        parts.append(str(self.dtype))
        pixel, interval = self.pixel_size_um, self.frame_interval_s
        parts.append(f"{pixel:.4g} µm/px" if pixel else "pixel size unknown")
        if "t" in sizes:
            parts.append(f"{interval:.4g} s/frame" if interval else "frame interval unknown")
        return ", ".join(parts)


_COUNTED = {"t": "frames", "c": "channels", "z": "planes"}
