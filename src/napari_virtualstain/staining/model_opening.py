"""Opening of a stainer by name: a model on one or several devices, or an add-on."""

from __future__ import annotations

from typing import Any

from ..engine import resolve_devices
from ..hooks import add_on_name
from ..settings import StainSettings
from .add_on import AddOnStainer, is_add_on
from .stainer import Stainer

AnyStainer = Stainer | AddOnStainer


def open_stainer(
    model: Any = None,
    settings: StainSettings | None = None,
    *,
    pixel_size_um: float | None = None,
    device: str | None = None,
    tile: int | None = None,
) -> AnyStainer:
    """Return what stains with a model on the devices named, or with an add-on of that name.

    Parameters
    ----------
    model : str, path, Model or None
        Generator, or the name of an add-on; None takes that of the settings, or the default.
    settings : StainSettings, optional
        With its `uncertainty`, results have one.
    pixel_size_um : float, optional
        Of the images.
    device : str, optional
        May name several, see :func:`resolve_devices`.
    tile : int, optional
        Tile size in pixels.

    Raises
    ------
    ModelError, DeviceError
        There is no such model or device.
    InputError
        An add-on knows no uncertainty.

    Examples
    --------
    >>> open_stainer("mito-simulated", pixel_size_um=0.08, device="cpu").note[:6]
    'model '
    """
    chosen = settings or StainSettings()
    model = chosen.model if model is None else model
    if is_add_on(model):
        added = AddOnStainer(add_on_name(model) or str(model), pixel_size_um)
        return added.with_uncertainty() if chosen.uncertainty else added
    # named now, so that a device that is not there is refused before a file is begun
    devices = ",".join(str(one) for one in resolve_devices(device))
    stainer = Stainer(model, chosen, pixel_size_um=pixel_size_um, device=devices, tile=tile)
    return stainer.with_uncertainty() if chosen.uncertainty else stainer
