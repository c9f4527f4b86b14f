"""A network of one plane that reads several."""

from __future__ import annotations

from ..errors import InputError
from ..models import Architecture, Model, UNet, build_network


def reading_planes(model: Model, planes: int) -> tuple[UNet, Architecture]:
    """Return a network that reads more planes than the model, and its architecture.

    At first it answers as the model does to the middle plane: the weights of the others are 0.

    Parameters
    ----------
    model : Model
        That reads one plane.
    planes : int
        Odd.

    Raises
    ------
    InputError
        The model reads several planes itself, or its network is no U-Net of this package.

    Examples
    --------
    >>> from napari_virtualstain.models import load_model
    >>> network, _ = reading_planes(load_model("mito-simulated"), 3)
    >>> network.in_channels
    3
    """
    old = model.network
    if model.card.inputs.planes != 1 or not isinstance(old, UNet):
        raise InputError(
            f"Model {model.name!r} reads {model.card.inputs.planes} bright-field planes, but "
            f"{planes} are given. Use as many planes, or train without it (--init none)."
        )
    card = model.card.architecture
    architecture = Architecture(name=card.name, arguments={**card.arguments, "in_channels": planes})
    network = build_network(architecture)
    assert isinstance(network, UNet)
    state = dict(old.state_dict())
    first = state["down.0.0.weight"]
    outputs, channels, *kernel = first.shape
    copies = channels // old.replicate
    wide = first.new_zeros(outputs, old.replicate, planes, copies, *kernel)
    wide[:, :, planes // 2] = first.view(outputs, old.replicate, copies, *kernel)
    state["down.0.0.weight"] = wide.view(outputs, -1, *kernel)
    network.load_state_dict(state)
    return network, architecture
