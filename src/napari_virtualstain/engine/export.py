"""Models for other programs: ONNX, and BioImage.IO packages for deepImageJ and others.

An exported network takes normalised images whose height and width are multiples of its
stride, as the card says; normalisation and tiling are described beside it, in
BioImage.IO's ``rdf.yaml`` or in the metadata of the ONNX file.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..io import check_output, write_bytes_atomically
from ..models import Model, load_model
from .prepared import fold_batch_norm
from .receptive_field import network_halo, network_stride, smallest_input

_LARGEST_DIFFERENCE = 1e-3
_LONGEST_DESCRIPTION = 128
_TASKS = {"generator": "virtual-staining", "segmenter": "segmentation"}


def export_model(model: Model | str | Path, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write a model for other programs, and return the path.

    Parameters
    ----------
    model : Model, str or path
        Any kind.
    out : str or Path
        ``.onnx`` for ONNX, ``.zip`` for a BioImage.IO package.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        Another suffix, or the packages for exporting are not installed.
    OutputError, OutputExistsError
        It cannot be written, or is there already.

    Examples
    --------
    >>> export_model("mito-h9c2", "model.txt")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    napari_virtualstain.errors.InputError: ...
    """
    path = Path(out)
    if path.suffix.lower() not in (".onnx", ".zip"):
        raise InputError(
            f"Models are exported as .onnx or as .zip (BioImage.IO), but {path.name!r} was given."
        )
    loaded = model if isinstance(model, Model) else load_model(model)
    check_output(path, overwrite=overwrite)
    content = (
        onnx_bytes(loaded) if path.suffix.lower() == ".onnx" else _bioimageio_bytes(loaded, path)
    )
    return write_bytes_atomically(path, content)


def onnx_bytes(model: Model) -> bytes:
    """Return the network as an ONNX model with free batch, height and width.

    The card is in its metadata as ``card``. Its output was compared with torch's.

    Raises
    ------
    InputError
        The packages are not installed, or the network cannot be expressed in ONNX.
    """
    onnx = _needed("onnx")
    network = fold_batch_norm(model.network)
    example = _example(model)
    buffer = io.BytesIO()
    try:
        with _quiet():
            torch.onnx.export(
                network,
                (example,),
                buffer,  # type: ignore[arg-type]
                input_names=["image"],
                output_names=["output"],
                dynamic_axes={name: {0: "n", 2: "y", 3: "x"} for name in ("image", "output")},
                opset_version=17,
                dynamo=False,
            )
    except RuntimeError as error:
        raise InputError(f"The network of {model.name!r} has no ONNX form ({error}).") from error
    exported = onnx.load_from_string(buffer.getvalue())
    entry = exported.metadata_props.add()
    entry.key, entry.value = "card", model.card.model_dump_json()
    content: bytes = exported.SerializeToString()
    _compare(content, network, example, model.name)
    return content


def _compare(content: bytes, network: torch.nn.Module, example: torch.Tensor, name: str) -> None:
    """Hold ONNX against torch, on a size other than that which was traced."""
    runtime = _needed("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    wider = torch.cat([example, example.flip(-1)], dim=-1)
    (found,) = session.run(None, {"image": wider.numpy()})
    with torch.inference_mode():
        expected = network(wider).numpy()
    difference = float(np.abs(found - expected).max()) / max(1.0, float(np.ptp(expected)))
    if difference > _LARGEST_DIFFERENCE:
        raise InputError(
            f"The ONNX form of {name!r} differs from torch by {difference:.2g} of its range, more "
            f"than {_LARGEST_DIFFERENCE:g}: it was not written. Another version of onnxruntime may "
            "help."
        )


def _example(model: Model) -> torch.Tensor:
    side = _smallest_side(model)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, model.card.inputs.planes, side, side, generator=generator)


def _smallest_side(model: Model) -> int:
    """Return the smallest side of which something is left when the halo is cut off."""
    halo, stride = network_halo(model.network) or 0, network_stride(model.network)
    return max(2 * halo + stride, smallest_input(model.network), 64)


def _bioimageio_bytes(model: Model, path: Path) -> bytes:
    import tempfile

    _needed("bioimageio.core")
    from bioimageio.spec import save_bioimageio_package

    with tempfile.TemporaryDirectory() as folder:
        with _quiet():
            description = _description(model, Path(folder))
            package = Path(folder) / "package.zip"
            save_bioimageio_package(description, output_path=package)
        return package.read_bytes()


def _description(model: Model, folder: Path) -> Any:
    """Return the BioImage.IO description, its files put into `folder`."""
    from bioimageio.spec.model import v0_5 as spec

    example = _example(model)
    network = fold_batch_norm(model.network)
    (folder / "weights.onnx").write_bytes(onnx_bytes(model))
    with torch.inference_mode():
        output = network(example).numpy()
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            network, example, check_trace=False
        )
    torch.jit.save(traced, str(folder / "weights.pt"))
    np.save(folder / "test_input.npy", example.numpy())
    np.save(folder / "test_output.npy", output)
    (folder / "README.md").write_text(_documentation(model), encoding="utf-8")
    stride = network_stride(model.network)
    low = _smallest_side(model)
    halo = network_halo(model.network) or 0
    return spec.ModelDescr(
        name=_allowed_name(model.name),
        description=(model.card.description or f"{model.card.kind} of napari-virtualstain")[:1000],
        authors=[spec.Author(name="The napari-virtualstain developers")],
        cite=[
            spec.CiteEntry(
                text="Somani et al., virtual staining of mitochondria in bright-field microscopy",
                url="https://github.com/AyushSomani001/VirtualStain_I2I",
            )
        ],
        license=spec.LicenseId("BSD-3-Clause"),
        documentation=spec.FileDescr(source=folder / "README.md"),
        tags=["fluorescence", "mitochondria", _TASKS[model.card.kind], "2d", "unet"],
        timestamp=spec.Datetime(datetime.now(UTC)),
        inputs=[_input(spec, model, folder, stride, low)],
        outputs=[_output(spec, model, folder, output.shape[1], halo)],
        weights=spec.WeightsDescr(
            onnx=spec.OnnxWeightsDescr(
                source=folder / "weights.onnx", opset_version=17, parent=None
            ),
            torchscript=spec.TorchscriptWeightsDescr(
                source=folder / "weights.pt",
                pytorch_version=spec.Version(torch.__version__.partition("+")[0]),
                parent="onnx",
            ),
        ),
    )


def _input(spec: Any, model: Model, folder: Path, stride: int, low: int) -> Any:
    return spec.InputTensorDescr(
        id=spec.TensorId("image"),
        description=_brief(f"{_input_image(model)}, normalised: {_normalisation_text(model)}"),
        axes=[
            spec.BatchAxis(),
            spec.ChannelAxis(
                channel_names=[
                    spec.Identifier(f"plane{i}") for i in range(model.card.inputs.planes)
                ]
            ),
            *(
                spec.SpaceInputAxis(
                    id=spec.AxisId(axis),
                    size=spec.ParameterizedSize(min=low, step=stride),
                    scale=_scale(model),
                    unit="nanometer" if model.card.pixel_size_um else None,
                )
                for axis in "yx"
            ),
        ],
        test_tensor=spec.FileDescr(source=folder / "test_input.npy"),
    )


def _output(spec: Any, model: Model, folder: Path, channels: int, halo: int) -> Any:
    return spec.OutputTensorDescr(
        id=spec.TensorId("output"),
        description=_brief(_channels_text(model)),
        axes=[
            spec.BatchAxis(),
            spec.ChannelAxis(channel_names=[spec.Identifier(f"map{i}") for i in range(channels)]),
            *(
                spec.SpaceOutputAxisWithHalo(
                    id=spec.AxisId(axis),
                    size=spec.SizeReference(
                        tensor_id=spec.TensorId("image"), axis_id=spec.AxisId(axis)
                    ),
                    halo=halo,
                    scale=_scale(model),
                    unit="nanometer" if model.card.pixel_size_um else None,
                )
                if halo
                else spec.SpaceOutputAxis(
                    id=spec.AxisId(axis),
                    size=spec.SizeReference(
                        tensor_id=spec.TensorId("image"), axis_id=spec.AxisId(axis)
                    ),
                )
                for axis in "yx"
            ),
        ],
        test_tensor=spec.FileDescr(source=folder / "test_output.npy"),
    )


def _scale(model: Model) -> float:
    # in nanometres, for which the specification's halo * scale / scale stays an integer
    return float(round((model.card.pixel_size_um or 0.001) * 1000))


def _brief(text: str) -> str:
    """Return the text as short as the specification wants it; the documentation has it whole."""
    return text if len(text) <= _LONGEST_DESCRIPTION else text[: _LONGEST_DESCRIPTION - 3] + "..."


def _values_text(model: Model) -> str:
    if model.card.kind == "segmenter":
        return "as log odds"
    return "normalised; `output * scale + offset` of the card's output normalisation gives units"


def _channels_text(model: Model) -> str:
    return "Channels: " + ", ".join(model.card.outputs)


def _input_image(model: Model) -> str:
    return "Fluorescence" if model.card.kind == "segmenter" else "Bright-field"


def _normalisation_text(model: Model) -> str:
    kind = model.card.normalisation.input.kind.replace("_", " and ")
    text = f"offset and scale by {kind} of the movie, at the pixel size of the axes"
    gain = (getattr(model.card, "segmentation", None) or {}).get("asinh_gain")
    return f"{text}; then asinh({gain:g} x) / asinh({gain:g})" if gain else text


def _documentation(model: Model) -> str:
    card = model.card.model_dump(mode="json")
    return (
        f"# {model.name}\n\n{model.card.description or 'A model of napari-virtualstain.'}\n\n"
        f"Input: {_normalisation_text(model)}. {_channels_text(model)}, {_values_text(model)}.\n\n"
        f"## Validation\n\nScores as on the card:\n\n```json\n"
        f"{json.dumps(card.get('scores', {}), indent=1)}\n```\n\n"
        f"## Card\n\n```json\n{json.dumps(card, indent=1)}\n```\n"
    )


def _allowed_name(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "_+- ()" else "-" for c in name).strip()
    return (kept or "model")[:128].ljust(5, "-")


def _needed(package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InputError(
            f"Exporting needs the package {package!r}, which is not installed. Install "
            "napari-virtualstain[export]."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the notes of the exporters, which no user can act on, from the user."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
