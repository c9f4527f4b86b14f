"""Time and memory of staining one frame on each GPU, in all the ways there are to run a network.

    python -m benchmarks.staining_gpu --size 2048 --architecture mito-h9c2

`engine` is what users run, from numpy to numpy with its transfers, and with a CUDA graph where
it found one to be faster; the other ways begin and end on the GPU, so that they are what the
engine could gain at most. The last line stains a frame on each of several GPUs at once, as
`--device gpus` does. A way that fails is left out, with the reason. Needs MONAI for its row.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from benchmarks.staining_speed import best_time, monai_inferer, network_named, operations
from napari_virtualstain.engine import TiledNetwork

Run = Callable[[], object]


def ways(network: torch.nn.Module, frame: np.ndarray, device: str) -> Iterator[tuple[str, Run]]:
    """Yield the name of each way and a function that makes it ready and returns what to time."""
    network = network.to(device)
    tensor = torch.from_numpy(frame).to(device)
    small = copy.deepcopy(network).half().to(memory_format=torch.channels_last)
    half = tensor.half().to(memory_format=torch.channels_last)
    yield "plain forward", lambda: lambda: network(tensor)
    yield "MONAI sliding window", lambda: windows(network, tensor)
    yield "channels-last half", lambda: lambda: small(half)
    yield "  as a CUDA graph", lambda: graph(small, half)
    yield "  with torch.compile", lambda: compiled(small, half)
    for precision in ("float32", "auto"):
        engine = TiledNetwork(network, device=device, precision=precision)
        yield f"engine, {precision} ({engine.precision})", lambda e=engine: lambda: e.predict(frame)
        engine._prepared.release()
        yield "  without graphs", lambda e=engine: lambda: e.predict(frame)


def windows(network: torch.nn.Module, tensor: torch.Tensor) -> Run:
    """Return MONAI's sliding window over the frame."""
    inferer = monai_inferer(tensor.shape[-1] // 2)
    return lambda: inferer(tensor, network)


def graph(network: torch.nn.Module, tensor: torch.Tensor) -> Run:
    """Return the replay of a captured forward pass."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):  # libraries choose their algorithms before the capture
            network(tensor)
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        network(tensor)
    return captured.replay


def compiled(network: torch.nn.Module, tensor: torch.Tensor) -> Run:
    """Return the forward pass through torch.compile."""
    fast = torch.compile(network, mode="max-autotune")
    return lambda: fast(tensor)


def waited_for(run: Run, devices: list[str]) -> Callable[[], None]:
    """Return the run with the wait for the GPU, which otherwise only takes orders."""

    def both() -> None:
        with torch.inference_mode():
            run()
        for device in devices:
            torch.cuda.synchronize(device)

    return both


def report(name: str, ready: Callable[[], Run], devices: list[str], given, work: float) -> None:
    """Print the line of one way."""
    torch.cuda.empty_cache()
    for device in devices:
        torch.cuda.reset_peak_memory_stats(device)
    try:
        with torch.inference_mode():
            run = ready()
        seconds = best_time(waited_for(run, devices), given.repeats) / len(devices)
    except (RuntimeError, ImportError) as error:
        print(f"  {name:26s} left out: {str(error).strip().splitlines()[0]}")
        return
    memory = max(torch.cuda.max_memory_allocated(device) for device in devices) / 2**20
    rate = work / seconds / 1e12
    print(
        f"  {name:26s} {1e3 * seconds:8.2f} ms  {memory:7.0f} MiB  {rate:7.1f} TFLOP/s", flush=True
    )


def compare(devices: list[str], given: argparse.Namespace) -> None:
    """Print a line for each way and GPU, and for all GPUs together."""
    frame = np.random.default_rng(0).normal(size=(1, 1, given.size, given.size)).astype(np.float32)
    work = operations(network_named(given.architecture), given.size)
    for device in devices:
        print(f"{torch.cuda.get_device_name(device)}, {given.architecture}, {given.size}²")
        with torch.cuda.device(device):
            for name, ready in ways(network_named(given.architecture), frame, device):
                report(name, ready, [device], given, work)
    if len(devices) < 2:
        return
    engines = [
        TiledNetwork(network_named(given.architecture), device=device, precision="auto")
        for device in devices
    ]
    with ThreadPoolExecutor(len(engines)) as pool:
        report(
            f"{len(devices)} GPUs, a frame each",
            lambda: lambda: list(pool.map(lambda engine: engine.predict(frame), engines)),
            devices,
            given,
            work,
        )


def main() -> None:
    """Compare the ways on the GPUs of this machine, or say that there is none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--architecture", default="mito-h9c2", help="or the name of a model")
    parser.add_argument("--repeats", type=int, default=8)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("This machine has no GPU that torch can use; nothing was measured.")
        return
    compare([f"cuda:{i}" for i in range(torch.cuda.device_count())], given)


if __name__ == "__main__":
    main()
