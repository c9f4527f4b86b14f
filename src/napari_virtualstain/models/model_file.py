"""Models as files: safetensors weights with the card in the metadata.

Weights are stored as float16 and used as float32: half the size, and a change of the
output far below its error. Arrays of one dimension (biases, running statistics) stay
float32, because a running variance can leave the range of float16.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError, OutputExistsError, expanded, reading
from .architectures import build_network
from .card import ModelCard, ModelKind
from .header import METADATA_KEY, read_header
from .registry import SUFFIX, find_model

_LARGEST_HALF = 65_000.0


@dataclass(frozen=True, slots=True)
class Model:
    """A network ready to use, with its card.

    Attributes
    ----------
    network : torch.nn.Module
        In evaluation mode, float32, on the CPU.
    card : ModelCard
        What it is.
    sha256 : str
        Of the file, in hexadecimal.
    path : Path
        The file.
    """

    network: nn.Module
    card: ModelCard
    sha256: str
    path: Path

    @property
    def name(self) -> str:
        """The name on the card."""
        return self.card.name


def save_model(
    path: str | Path, network: nn.Module, card: ModelCard, *, overwrite: bool = False
) -> Path:
    """Write a network with its card, atomically, and return the path.

    Parameters
    ----------
    path : str or Path
        Ends in ``.safetensors``; missing folders are made.
    network : torch.nn.Module
        As :func:`build_network` makes it from the card's architecture.
    card : ModelCard
        Its ``weights_sha256`` is filled in.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ModelError
        The suffix is wrong, or the weights are not finite.
    OutputExistsError, OutputError
        The file is there already, or cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> card = ModelCard(name="tiny", architecture={"name": "unet", "arguments": {"widths": [4]}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "tiny.safetensors"
    ...     save_model(file, build_network(card.architecture), card).name
    'tiny.safetensors'
    """
    target = expanded(path)
    if target.suffix != SUFFIX:
        raise ModelError(f"A model file ends in {SUFFIX}, but {target.name!r} was given.")
    if target.exists() and not overwrite:
        raise OutputExistsError(
            f"{str(target)!r} exists already. Choose another name, or ask for overwriting."
        )
    tensors = {name: _stored(name, value) for name, value in network.state_dict().items()}
    complete = card.model_copy(update={"weights_sha256": _digest(tensors)})
    from safetensors.torch import save

    content = save(tensors, metadata={METADATA_KEY: complete.model_dump_json()})
    from ..io import write_bytes_atomically  # loads dask, which reading a card does not need

    write_bytes_atomically(target, content)
    return target


def load_model(name_or_path: str | Path, *, kind: ModelKind | None = None) -> Model:
    """Return a model by name or by path, its network in evaluation mode on the CPU.

    Parameters
    ----------
    name_or_path : str or Path
        A name that :func:`list_models` lists, or the path of a ``.safetensors`` file.
    kind : {"generator", "segmenter"}, optional
        What is needed; a model of another kind is refused.

    Raises
    ------
    ModelError
        Unknown, foreign, damaged, hostile, or of the wrong kind.

    Examples
    --------
    >>> load_model("no-such-model")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    napari_virtualstain.errors.ModelError: There is no model 'no-such-model'. ...
    """
    path = find_model(name_or_path)
    with reading(path, "a model of napari-virtualstain", error_class=ModelError):
        return _loaded(path, kind)


def _loaded(path: Path, kind: ModelKind | None) -> Model:
    header = read_header(path)
    if kind is not None and header.card.kind != kind:
        raise ModelError(
            f"{header.card.name!r} is a {header.card.kind}, but a {kind} is needed here. "
            f"'virtualstain models list' shows which is which."
        )
    # On the meta device nothing is allocated, so that a file cannot ask for more memory
    # than its own size
    with torch.device("meta"):
        network = build_network(header.card.architecture)
    _check_shapes(path, network, header.shapes)
    content = path.read_bytes()
    tensors = _tensors(path, content, header.card)
    network.load_state_dict({n: _used(t) for n, t in tensors.items()}, assign=True)
    network.requires_grad_(False).eval()
    return Model(network, header.card, hashlib.sha256(content).hexdigest(), path)


def _stored(name: str, value: Tensor) -> Tensor:
    value = value.detach().to("cpu").contiguous()
    if not value.is_floating_point():
        return value
    if not bool(torch.isfinite(value).all()):
        raise ModelError(
            f"The network cannot be saved: {name} has values that are not finite. "
            "Training diverged; lower the learning rate and train again."
        )
    if value.ndim <= 1 or float(value.abs().max()) > _LARGEST_HALF:
        return value.float()
    return value.half()


def _used(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name}:{tuple(tensors[name].shape)}:{tensors[name].dtype};".encode())
        digest.update(tensors[name].reshape(-1).numpy().tobytes())
    return digest.hexdigest()


def _tensors(path: Path, content: bytes, card: ModelCard) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(content)
    except SafetensorError as error:
        raise ModelError(
            f"Model file {path.name} is damaged ({error}). Copy or download it again."
        ) from error
    if card.weights_sha256 and _digest(tensors) != card.weights_sha256:
        raise ModelError(
            f"Model file {path.name} is damaged: its weights do not have the checksum on its card. "
            "Copy or download it again."
        )
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(
                f"Model file {path.name} is unusable: {name} has values that are not finite. "
                "Train again, or choose another model."
            )
    return tensors


def _check_shapes(path: Path, network: nn.Module, shapes: dict[str, tuple[int, ...]]) -> None:
    expected: dict[str, Any] = {n: tuple(t.shape) for n, t in network.state_dict().items()}
    if expected == shapes:
        return
    differing = sorted(
        name for name in {*expected, *shapes} if expected.get(name) != shapes.get(name)
    )
    first = differing[0]
    raise ModelError(
        f"Model file {path.name} is damaged: its weights do not fit the architecture on its card "
        f"({len(differing)} arrays differ; {first[:80]}: {shapes.get(first)} in the file, "
        f"{expected.get(first)} in the network). Copy or download it again."
    )
