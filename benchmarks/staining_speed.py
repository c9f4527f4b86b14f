"""Time and memory of staining one frame, against torch, MONAI, ONNX Runtime and OpenVINO.

    OMP_NUM_THREADS=1 python -m benchmarks.staining_speed --architecture mito-h9c2 --clock cpu
    python -m benchmarks.staining_speed --architecture compact --half-resolution

Each way runs in a process of its own, so that its peak memory is its own, and all of them in turn
``--rounds`` times; the best of each counts, since a machine is rarely idle. ``--clock cpu`` counts
the processor seconds of all threads. ONNX Runtime and OpenVINO run the network as it is exported,
the whole frame at once; "hint" asks OpenVINO for half precision where the processor has it; "fast"
is this package on the device ``openvino``. MONAI slides a window. Peers that are not installed
(``pip install monai onnxruntime openvino``) are left out. "difference" is the largest from float32
torch, as a share of the output's spread. Per cent of int8 are of the best product in float32.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from napari_virtualstain.engine import TiledNetwork, activation_ranges
from napari_virtualstain.models import architecture_names, build_network, load_model

WAYS = (
    "plain",
    "channels-last",
    "monai",
    "onnxruntime",
    "openvino",
    "openvino hint",
    "float32",
    "auto",
    "fast float32",
    "fast auto",
    "fast int8",
)


Run = Callable[[], np.ndarray]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
_clock = CLOCKS["wall"]


def best_time(run, repeats: int) -> float:
    """Return the shortest of some runs after one to warm up, seconds."""
    run()
    times = []
    for _ in range(repeats):
        start = _clock()
        run()
        times.append(_clock() - start)
    return min(times)


def operations(network: torch.nn.Module, size: int) -> float:
    """Return the floating-point operations of one forward pass of a frame."""
    counted = 0.0

    def count(module, inputs, output) -> None:
        nonlocal counted
        counted += 2.0 * output.numel() * module.weight[0].numel()

    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    hooks = [m.register_forward_hook(count) for m in convolutions]
    with torch.inference_mode():
        network(torch.zeros(1, 1, 64, 64))
    for hook in hooks:
        hook.remove()
    return counted * (size / 64) ** 2


def best_matrix_rate(dtype: torch.dtype) -> float:
    """Return the FLOP/s of a large matrix product on this machine."""
    side = 2048
    one, other = (torch.randn(side, side).to(dtype) for _ in range(2))
    return 2.0 * side**3 / best_time(lambda: one @ other, 4)


def network_named(architecture: str, half_resolution: bool) -> torch.nn.Module:
    """Return a new network of an architecture, or that of a model."""
    torch.manual_seed(0)
    if architecture not in architecture_names():
        return load_model(architecture).network.eval()
    described: dict[str, Any] = {"name": architecture}
    if half_resolution:
        described["arguments"] = {"half_resolution": True}
    return build_network(described).eval()


def monai_inferer(side: int) -> Callable[..., torch.Tensor]:
    """Return MONAI's sliding window, as its users run it."""
    from monai.inferers import SlidingWindowInferer

    return SlidingWindowInferer(roi_size=(side, side), overlap=0.25, mode="gaussian")


def exported(network: torch.nn.Module, frame: np.ndarray) -> bytes:
    """Return a network as ONNX, for frames of one size."""
    place = io.BytesIO()
    example = torch.from_numpy(frame)
    torch.onnx.export(
        network, (example,), place, input_names=["x"], output_names=["y"], dynamo=False
    )
    return place.getvalue()


def onnx_runner(network: torch.nn.Module, frame: np.ndarray) -> Run:
    """Return a run of ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        exported(network, frame), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"x": frame})[0]


def openvino_runner(network: torch.nn.Module, frame: np.ndarray, precision: str | None) -> Run:
    """Return a run of OpenVINO, in float32 or with its hint for half precision."""
    import openvino

    core = openvino.Core()
    given = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": precision or "f32",
    }
    compiled = core.compile_model(core.read_model(exported(network, frame)), "CPU", given)
    return lambda: compiled([frame])[0]


def runner(way: str, network: torch.nn.Module, frame: np.ndarray, tile: int | None):
    """Return a function that stains the frame in one way, and its arithmetic."""
    if way == "onnxruntime":
        return onnx_runner(network, frame), "float32"
    if way.startswith("openvino"):
        hint = "bf16" if way.endswith("hint") else None
        return openvino_runner(network, frame, hint), "bfloat16" if hint else "float32"
    if way in ("plain", "channels-last", "monai"):
        tensor = torch.from_numpy(frame)
        if way == "channels-last":
            network = network.to(memory_format=torch.channels_last)
            tensor = tensor.to(memory_format=torch.channels_last)
        inferer = monai_inferer(tile or frame.shape[-1] // 2) if way == "monai" else None

        def run() -> np.ndarray:
            with torch.inference_mode():
                return (inferer(tensor, network) if inferer else network(tensor)).numpy()

        return run, "float32"
    device = "openvino" if way.startswith("fast") else "cpu"
    precision, ranges = way.split()[-1], None
    if precision == "int8":
        ranges = activation_ranges(network, [frame[0, :, :256, :256]])
    engine = TiledNetwork(network, device=device, precision=precision, tile=tile, ranges=ranges)
    return (lambda: engine.predict(frame)), engine.precision


def measure(way: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one way."""
    network = network_named(given.architecture, given.half_resolution)
    shape = (1, 1, given.size, given.size)
    frame = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    work = operations(network, given.size)
    corner = np.ascontiguousarray(frame[..., :256, :256])
    with torch.inference_mode():
        truth = network(torch.from_numpy(corner)).numpy()
    agreement, _ = runner(way, copy.deepcopy(network), corner, given.tile)
    other = np.asarray(agreement())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run, precision = runner(way, network, frame, given.tile)
    seconds = best_time(run, given.repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # torch has no product of int8 to compare with
    dtype = getattr(torch, "float32" if precision == "int8" else precision)
    return {
        "precision": precision,
        "seconds": seconds,
        "memory_MiB": (peak - before) / 1024,
        "GFLOP/s": work / seconds / 1e9,
        "share": work / seconds / best_matrix_rate(dtype),
        "difference": float(np.abs(other - truth).max() / truth.std()),
    }


def in_own_process(way: str) -> dict[str, Any] | str:
    """Return the figures of one way, or why it does not run."""
    child = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--way", way], capture_output=True, text=True
    )
    if child.returncode:
        return child.stderr.strip().splitlines()[-1]
    return dict(json.loads(child.stdout.splitlines()[-1]))


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--architecture", default="compact", help="or the name of a model")
    parser.add_argument("--half-resolution", action="store_true", help="of a new network")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tile", type=int)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    global _clock
    _clock = CLOCKS[given.clock]
    if given.way:
        print(json.dumps(measure(given.way, given)))
        return
    half = " at half resolution" if given.half_resolution else ""
    print(
        f"{given.architecture}{half}, {given.size} x {given.size}, {torch.get_num_threads()} "
        f"threads, {given.clock} time"
    )
    best: dict[str, dict[str, Any]] = {}
    for _ in range(given.rounds):
        for way in given.ways:
            figures = in_own_process(way)
            if isinstance(figures, str):
                print(f"{way:13s} left out: {figures}")
            elif way not in best or figures["seconds"] < best[way]["seconds"]:
                best[way] = figures
    base = best.get("plain", next(iter(best.values())))["seconds"]
    for way, figures in best.items():
        print(
            f"{way:13s} {figures['precision']:9s} {figures['seconds']:7.2f} s  "
            f"{base / figures['seconds']:5.2f} x plain  {figures['memory_MiB']:6.0f} MiB  "
            f"{figures['GFLOP/s']:7.1f} GFLOP/s = {figures['share']:.0%} of the best matrix "
            f"product  difference {figures['difference']:.1e}"
        )


if __name__ == "__main__":
    main()
