"""What stains with a model, an add-on or several devices, by their names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..engine import resolve_devices
from ..hooks import add_on_name
from .add_on import AddOnStainer, is_add_on
from .several_devices import StainerTeam
from .stainer import Stainer, StainingSettings

AnyStainer = Stainer | AddOnStainer | StainerTeam


def open_stainer(
    model: Any,
    settings: StainingSettings,
    pixel_size_um: float | None = None,
    *,
    uncertainty: bool = False,
) -> AnyStainer:
    """Return what stains with a model on the devices named, or with an add-on of that name.

    Parameters
    ----------
    model : str, path, Model or None
        Generator, or the name of an add-on; None is the default one.
    settings : StainingSettings
        Its `device` may name several, see :func:`resolve_devices`.
    pixel_size_um : float, optional
        Of the images.
    uncertainty : bool
        Whether results must have one.

    Raises
    ------
    ModelError, DeviceError
        There is no such model or device.
    InputError
        An add-on knows no uncertainty.

    Examples
    --------
    >>> open_stainer("mito-simulated", StainingSettings(), 0.08).averages
    False
    """
    if is_add_on(model):
        added = AddOnStainer(add_on_name(model) or str(model), pixel_size_um)
        return added.with_uncertainty() if uncertainty else added
    first, *others = (str(device) for device in resolve_devices(settings.device))
    stainer = Stainer(model, replace(settings, device=first), pixel_size_um=pixel_size_um)
    if uncertainty:
        stainer = stainer.with_uncertainty()
    if not others:
        return stainer
    return StainerTeam([stainer, *(stainer.changed(device=other) for other in others)])
