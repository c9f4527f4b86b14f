"""Devices, threads, precision and free memory for networks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, get_args

import torch

from ..errors import DeviceError, check_choice
from ..io import free_memory as free_memory_of_machine
from ..settings import Precision as Precision

_WORDS = {
    "cpu": "processor",
    "openvino": "processor with OpenVINO",
    "cuda": "graphics card",
    "gpu": "graphics card",
    "mps": "Apple graphics",
}


@dataclass(frozen=True, slots=True)
class OpenVino:
    """The processor, run by OpenVINO; named and used as a ``torch.device`` is.

    Examples
    --------
    >>> str(OpenVino())
    'openvino'
    """

    type: ClassVar[str] = "openvino"

    def __str__(self) -> str:
        return self.type


Device: TypeAlias = torch.device | OpenVino


def resolve_device(device: str | Device | None = None) -> Device:
    """Return the device to run on.

    Parameters
    ----------
    device : str, torch.device or None
        None or ``"auto"`` takes the best there is: CUDA, then Apple's MPS, then the
        CPU. ``"gpu"`` takes the best but the CPU. Otherwise torch's own names:
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; or ``"openvino"``, the CPU run by
        OpenVINO, which the extra ``[fast]`` installs.

    Raises
    ------
    DeviceError
        The device is unknown or not there.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    name = "auto" if device is None else str(device).lower()
    if name in ("auto", "gpu"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        if name == "auto":
            return torch.device("cpu")
        raise DeviceError(_absent(name))
    if name == "openvino" and has_openvino():
        return OpenVino()
    try:
        resolved = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(_absent(name)) from error
    if not _is_there(resolved):
        raise DeviceError(_absent(name))
    return resolved


def resolve_devices(device: str | Device | None = None) -> list[Device]:
    """Return the devices to run on together.

    Parameters
    ----------
    device : str, torch.device or None
        ``"gpus"`` takes all CUDA devices of this machine, ``"cuda:0,cuda:2"`` those named; one
        that is named twice works on two frames at once. Any other name is that of one
        device, see :func:`resolve_device`.

    Raises
    ------
    DeviceError
        One of them is unknown or not there, or they are of unlike kinds.

    Examples
    --------
    >>> resolve_devices("cpu,cpu")
    [device(type='cpu'), device(type='cpu')]
    """
    name = "auto" if device is None else str(device).lower()
    if name == "gpus":
        name = ",".join(n for n in available_devices() if n.startswith("cuda")) or "cuda"
    devices = [resolve_device(part.strip()) for part in name.split(",")]
    kinds = {resolved.type for resolved in devices}
    if len(kinds) > 1:
        raise DeviceError(
            f"Devices of unlike kinds were named ({', '.join(sorted(kinds))}), whose arithmetic "
            "differs: frames would not be alike. Name devices of one kind, such as "
            "'cuda:0,cuda:1'."
        )
    return devices


def available_devices() -> list[str]:
    """Return the names of the devices of this machine, best first.

    Examples
    --------
    >>> available_devices()[-1]
    'cpu'
    """
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, *(["openvino"] if has_openvino() else []), "cpu"]


def has_openvino() -> bool:
    """Return whether OpenVINO is installed.

    Examples
    --------
    >>> has_openvino() == ("openvino" in available_devices())
    True
    """
    return importlib.util.find_spec("openvino") is not None


def is_processor(device: Device) -> bool:
    """Return whether a device is the processor, whatever runs the network there.

    Examples
    --------
    >>> is_processor(torch.device("cpu")), is_processor(OpenVino())
    (True, True)
    """
    return device.type in ("cpu", "openvino")


def describe_devices() -> list[str]:
    """Return a line for each device, best first, and one about torch itself.

    Examples
    --------
    >>> describe_devices()[-2].startswith("device cpu: ")
    True
    """
    described = []
    for name in available_devices():
        device = resolve_device(name)
        if isinstance(device, OpenVino):
            detail = f"OpenVINO {importlib.metadata.version('openvino')}"
        elif device.type == "cuda":
            facts = torch.cuda.get_device_properties(device)
            detail = f"{facts.name}, {facts.total_memory / 2**30:.1f} GiB"
        elif device.type == "cpu":
            instructions = torch.backends.cpu.get_cpu_capability()
            detail = f"{torch.get_num_threads()} threads, {instructions} instructions"
        else:
            detail = "Apple GPU"
        described.append(f"device {name}: {detail}")
    return [*described, f"torch {torch.__version__}, built for CUDA {torch.version.cuda}"]


def _is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return bool(torch.backends.mps.is_available())
    return device.type == "cpu"


def device_words(name: str) -> str:
    """Return what people call a device, with its name in brackets.

    Examples
    --------
    >>> device_words("cuda:1"), device_words("cpu")
    ('graphics card (cuda:1)', 'processor (cpu)')
    """
    word = _WORDS.get(name.partition(":")[0])
    return f"{word} ({name})" if word else repr(name)


def _absent(name: str) -> str:
    there = ", ".join(device_words(one) for one in available_devices())
    kind = name.partition(":")[0]
    if kind not in _WORDS:
        said = f"Device {name!r} is not available."
    elif kind == "openvino":
        said = 'OpenVINO is not installed: pip install "napari-virtualstain[fast]" installs it.'
    elif kind in ("cuda", "gpu"):
        said = (
            f"A {device_words(name)} is not available: there is none, or its driver or a PyTorch "
            "built for it is not installed."
        )
    else:
        said = f"{device_words(name).capitalize()} is not available."
    return f"{said} This machine has: {there}. Choose one of these, or automatic (auto)."


def check_precision(precision: str) -> Precision:
    """Return `precision` if it is one that is known.

    Raises
    ------
    InputError
        It is not.
    """
    check_choice(precision, get_args(Precision), "precision")
    return precision  # type: ignore[return-value]


def use_threads(count: int = 0) -> int:
    """Let networks use `count` processor threads from now on, and return how many that are.

    Parameters
    ----------
    count : int
        0 leaves one core to whatever else runs, such as a viewer, unless the environment
        variable ``OMP_NUM_THREADS`` says otherwise.

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> use_threads(1)
    1
    >>> use_threads(before) == before
    True
    """
    if count < 1:
        if os.environ.get("OMP_NUM_THREADS"):
            return torch.get_num_threads()
        count = max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(count)
    return count


def free_memory(device: Device) -> int:
    """Return the bytes that can still be had on `device`.

    Examples
    --------
    >>> free_memory(torch.device("cpu")) > 0
    True
    """
    if isinstance(device, torch.device) and device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + held)
    return free_memory_of_machine()
