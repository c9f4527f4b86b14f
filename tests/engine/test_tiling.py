from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino_device import PROCESSORS
from small_generators import randomised

from napari_virtualstain.engine import ReducedResourcesWarning, TiledNetwork, predictor
from napari_virtualstain.engine.prepared import PreparedNetwork, _gains_from_bfloat16, arithmetic
from napari_virtualstain.engine.tiling import choose_core, plan_tiles
from napari_virtualstain.errors import DeviceError, InputError
from napari_virtualstain.models import build_network

multiples = st.integers(1, 40).map(lambda n: 8 * n)


@settings(max_examples=30, deadline=None)
@given(height=multiples, width=multiples, core=st.integers(1, 400), halo=st.integers(0, 9))
def test_cores_cover_the_frame_once_and_windows_reach_the_halo(
    height: int, width: int, core: int, halo: int
) -> None:
    covered = np.zeros((height, width), int)
    for tile in plan_tiles((height, width), core, halo=8 * halo, stride=8):
        covered[tile.core.slices] += 1
        window, kept = tile.window, tile.core
        assert window.top == max(0, kept.top - 8 * halo)
        assert window.bottom == min(height, kept.bottom + 8 * halo)
        assert window.left == max(0, kept.left - 8 * halo)
        assert window.right == min(width, kept.right + 8 * halo)
        assert window.top % 8 == window.left % 8 == 0
        assert max(kept.shape) <= max(8, core)
    assert (covered == 1).all()


@settings(max_examples=30, deadline=None)
@given(
    side=st.integers(8, 512).map(lambda n: 8 * n),
    room=st.floats(1e4, 1e8),
    lean=st.booleans(),
)
def test_the_chosen_tile_fits_whenever_any_tile_does(side: int, room: float, lean: bool) -> None:
    core = choose_core((side, side), halo=56, stride=8, largest_window=room, lean=lean)
    windows = [t.window.shape for t in plan_tiles((side, side), core, halo=56, stride=8)]
    smallest = min(side, 32 + 2 * 56)
    if smallest**2 <= room:
        assert max(h * w for h, w in windows) <= room


def _frame(height: int, width: int, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    return rng.normal(size=(1, channels, height, width)).astype(np.float32)


NETWORKS = {
    name: randomised(build_network({"name": name, "arguments": {"widths": widths}}))
    for name, widths in {"compact": (4, 6, 8, 8), "paper": (2, 3, 4, 4)}.items()
}


def _whole(network: torch.nn.Module, frame: np.ndarray) -> np.ndarray:
    """The plain forward pass of the frame, padded as the engine documents it."""
    height, width = frame.shape[-2:]
    low = 32 if network is NETWORKS["paper"] else 16
    rows, columns = (max(-(-n // 8) * 8, low) - n for n in (height, width))
    padded = np.pad(frame, [(0, 0), (0, 0), (0, rows), (0, columns)], mode="reflect")
    with torch.inference_mode():
        return network(torch.from_numpy(padded)).numpy()[..., :height, :width]


@pytest.mark.parametrize("device", PROCESSORS)
@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=6, deadline=None)
@given(height=st.integers(1, 260), width=st.integers(1, 260), tile=st.integers(1, 280))
def test_tiled_equals_the_plain_whole_frame(
    name: str, device: str, height: int, width: int, tile: int
) -> None:
    # smaller tiles only cost time here; the smallest is tried below
    tile = max(tile, 24 if name == "compact" else 96)
    frame = _frame(height, width)
    whole = _whole(NETWORKS[name], frame)
    tiled = TiledNetwork(NETWORKS[name], device=device, tile=tile).predict(frame)
    assert tiled.shape == whole.shape
    assert np.abs(tiled - whole).max() <= 1e-5 * np.ptp(whole) + 1e-6


def test_the_smallest_tile_is_exact_too() -> None:
    frame = _frame(70, 60)
    tiled = TiledNetwork(NETWORKS["compact"], device="cpu", tile=1).predict(frame)
    np.testing.assert_allclose(tiled, _whole(NETWORKS["compact"], frame), atol=1e-5)


def test_a_smaller_halo_would_be_seen() -> None:
    """The oracle is sharp: eight pixels less of halo and the seams show."""
    frame = _frame(256, 256)
    network = TiledNetwork(NETWORKS["compact"], device="cpu", tile=64)
    network._prepared.halo -= 16
    whole = _whole(NETWORKS["compact"], frame)
    assert np.abs(network.predict(frame) - whole).max() > 1e-5 * np.ptp(whole)


def test_half_precision_stays_within_one_percent() -> None:
    frame = _frame(192, 192)
    whole = _whole(NETWORKS["compact"], frame)
    fast = TiledNetwork(NETWORKS["compact"], device="cpu", precision="bfloat16").predict(frame)
    difference = np.abs(fast - whole).max() / np.ptp(whole)
    assert 0 < difference < 0.02


@pytest.mark.skipif(not _gains_from_bfloat16(), reason="no instructions for bfloat16 here")
@pytest.mark.parametrize("device", PROCESSORS)
@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=3, deadline=None)
@given(height=st.integers(1, 260), width=st.integers(1, 200), tile=st.integers(1, 280))
def test_tiled_equals_whole_in_half_precision(
    name: str, device: str, height: int, width: int, tile: int
) -> None:
    frame = _frame(height, width)
    whole, tiled = (
        TiledNetwork(NETWORKS[name], device=device, tile=side, precision="bfloat16").predict(frame)
        for side in (512, max(tile, 48))
    )
    assert np.abs(tiled - whole).max() <= 1e-4 * np.ptp(whole)


def test_half_precision_falls_back_to_square_tiles_when_strips_are_too_large() -> None:
    network = _Greedy(room=40**2)
    frame = _frame(40, 200)
    engine = TiledNetwork(network, device="cpu", precision="bfloat16")
    with pytest.warns(ReducedResourcesWarning) as told:
        tiled = engine.predict(frame)
    assert any("square tiles" in str(warning.message) for warning in told)
    with torch.inference_mode():
        whole = network.layer(torch.from_numpy(frame)).numpy()
    assert np.abs(tiled - whole).max() < 0.02 * np.ptp(whole)


def test_a_network_that_sees_everything_is_run_whole() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.InstanceNorm2d(2), torch.nn.Conv2d(2, 1, 1)
    ).eval()
    frame = _frame(90, 70)
    with torch.inference_mode():
        whole = network(torch.from_numpy(frame)).numpy()
    tiled = TiledNetwork(network, device="cpu", tile=16).predict(frame)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


class _Greedy(torch.nn.Module):
    """Fails as torch does when a window has more pixels than `room`."""

    halo, stride = 4, 4

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.layer = torch.nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.shape[-1] * image.shape[-2] > self.room:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return self.layer(image)


def test_after_memory_ran_out_smaller_tiles_give_the_same_result() -> None:
    network = _Greedy(room=60**2)
    frame = _frame(200, 180)
    with torch.inference_mode():
        whole = network.layer(torch.from_numpy(frame)).numpy()
    engine = TiledNetwork(network, device="cpu")
    with pytest.warns(ReducedResourcesWarning, match=r"memory of the processor \(cpu\) ran out"):
        tiled = engine.predict(frame)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
    engine.predict(frame)  # without another warning: what fitted is remembered


class _PretendGpu:
    """A prepared network on a GPU that never has memory, until it is moved to the CPU."""

    device, precision = torch.device("cuda"), "float16"
    halo, stride, smallest, outputs, bytes_per_pixel = 4, 4, 4, 1, 64

    def __init__(self, network: torch.nn.Module) -> None:
        self.network, self.windows = network, []

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        self.windows.append(max(batch.shape[-2:]))
        raise torch.OutOfMemoryError("CUDA out of memory")

    def release(self) -> None:
        self.released = True

    def moved(self, device: torch.device) -> PreparedNetwork:
        assert self.released
        assert device.type == "cpu"
        return PreparedNetwork(self.network, device, "float32")


def test_a_gpu_without_memory_halves_its_tiles_and_then_gives_way_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = _Greedy(room=10**9)
    frame = _frame(96, 120)
    engine = TiledNetwork(network, device="cpu")
    gpu = _PretendGpu(network)
    engine._prepared = gpu
    monkeypatch.setattr(predictor, "free_memory", lambda device: 2**30)
    assert engine.frames_at_once((96, 120)) == 16
    with pytest.warns(ReducedResourcesWarning) as told:
        stained = engine.predict(frame)
    sizes = sorted(set(gpu.windows), reverse=True)
    assert sizes[0] == 120
    assert len(sizes) >= 3
    assert all(small < large for large, small in pairwise(sizes))
    assert "going on with the processor" in str(told[-1].message)
    assert engine.device.type == "cpu"
    with torch.inference_mode():
        whole = network.layer(torch.from_numpy(frame)).numpy()
    np.testing.assert_allclose(stained, whole, atol=1e-6)


def test_a_batch_is_cut_into_tiles_that_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    room = 200 * 200 * _PretendGpu.bytes_per_pixel
    monkeypatch.setattr(predictor, "free_memory", lambda device: 2 * room)

    def first_window(count: int) -> int:
        network = _Greedy(room=10**9)
        engine = TiledNetwork(network, device="cpu")
        gpu = _PretendGpu(network)
        engine._prepared = gpu
        with pytest.warns(ReducedResourcesWarning):
            engine.predict(np.zeros((count, 1, 200, 200), np.float32))
        return int(gpu.windows[0])

    assert first_window(1) == 200
    assert 4 * first_window(4) ** 2 <= 200**2


def test_a_gpu_too_full_for_the_network_gives_way_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def prepared(
        network: torch.nn.Module, device: torch.device, precision: str, ranges: None = None
    ) -> PreparedNetwork:
        if device.type != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return PreparedNetwork(network, device, precision)

    monkeypatch.setattr(predictor, "PreparedNetwork", prepared)
    monkeypatch.setattr(predictor, "resolve_device", lambda device: torch.device("cuda"))
    with pytest.warns(ReducedResourcesWarning, match=r"graphics card \(cuda\) ran out; going on"):
        engine = TiledNetwork(NETWORKS["compact"], device="cuda", precision="float32")
    assert engine.device.type == "cpu"
    assert engine.predict(_frame(32, 40)).shape == (1, 1, 32, 40)


def test_what_float16_cannot_hold_is_computed_in_float32() -> None:
    network = torch.nn.Conv2d(1, 1, 1)
    torch.nn.init.constant_(network.weight, 1000.0)
    torch.nn.init.zeros_(network.bias)
    prepared = PreparedNetwork(network, torch.device("cpu"), "float32")
    prepared.precision = "float16"
    frame = torch.ones(1, 1, 4, 4)
    assert (prepared(frame) == 1000).all()
    frame[..., 2, 2] = 100.0
    assert float(prepared(frame).max()) == 1e5


def test_float32_on_a_gpu_is_not_tf32() -> None:
    before = torch.backends.cudnn.allow_tf32
    with arithmetic(torch.device("cuda"), "float32"):
        assert not torch.backends.cudnn.allow_tf32
    with arithmetic(torch.device("cuda"), "float16"):
        assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


def test_tf32_stays_off_until_the_last_of_two_gpus_is_done() -> None:
    """The setting is the process's: the first thread to end must not switch it on again."""
    exact = arithmetic(torch.device("cuda"), "float32")
    exact.__enter__()
    exact.__enter__()
    exact.__exit__(None, None, None)
    assert not torch.backends.cudnn.allow_tf32
    exact.__exit__(None, None, None)
    assert torch.backends.cudnn.allow_tf32


def test_no_memory_at_all_is_a_clear_error() -> None:
    engine = TiledNetwork(_Greedy(room=0 + 16), device="cpu")
    engine._prepared.__dict__.update(outputs=1, bytes_per_pixel=1)
    with (
        pytest.warns(ReducedResourcesWarning),
        pytest.raises(DeviceError, match="smaller model"),
    ):
        engine.predict(_frame(64, 64))


def test_another_failure_of_torch_is_not_a_runtime_error() -> None:
    engine = TiledNetwork(NETWORKS["compact"], device="cpu")
    with pytest.raises(DeviceError, match=r"failed on the processor \(cpu\)"):
        engine.predict(_frame(64, 64, channels=2))


@pytest.mark.parametrize("tile", [0, -8, 33.5])
def test_an_impossible_tile_is_refused(tile: float) -> None:
    with pytest.raises(InputError, match="tile size"):
        TiledNetwork(NETWORKS["compact"], tile=tile)


@pytest.mark.parametrize(("halo", "core"), [(96, 2048), (104, 4096)])
def test_lean_tiles_may_cost_a_tenth_more_work(halo: int, core: int) -> None:
    # two tiles a side read 1 + 2 halo / 4096 of it: 1.096 of the frame, or 1.104
    assert choose_core((4096, 4096), halo=halo, stride=8, largest_window=1e9, lean=True) == core


@pytest.mark.parametrize(
    ("length", "halo", "cores"),
    [
        (200, 56, [200, 100, 67, 33, 16]),  # parts as equal as can be, then halves
        (320, 0, [320, 160, 107, 64, 54, 46, 36, 16]),
        (120, 60, [120, 30]),  # 60 would read as much as the whole
        (96, 24, [96, 48, 16]),
        (40, 56, [40, 20]),
    ],
)
def test_the_less_memory_the_smaller_the_core(length: int, halo: int, cores: list[int]) -> None:
    found = [
        choose_core((length,), halo=halo, stride=8, largest_window=room, lean=False)
        for room in range(length, 0, -1)
    ]
    assert sorted(set(found), reverse=True) == cores
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("is_one", [True, False])
@pytest.mark.parametrize(("free_gib", "used_gib"), [(64, 2.5), (6, 2.5), (4, 2)])
def test_half_of_the_free_memory_is_used_and_at_most_two_and_a_half_gigabytes(
    monkeypatch: pytest.MonkeyPatch, free_gib: int, used_gib: float, is_one: bool
) -> None:
    monkeypatch.setattr(predictor, "free_memory", lambda device: free_gib * 2**30)
    engine = TiledNetwork(NETWORKS["compact"], device="cpu", precision="float32")
    engine._prepared.halo = 1000  # smaller tiles would read much twice
    a_pixel = int(used_gib * 2**30 / 4000**2)
    engine._prepared.bytes_per_pixel = a_pixel if is_one else a_pixel + 1
    assert (len(engine._plan((4000, 4000), 1)) == 1) == is_one
