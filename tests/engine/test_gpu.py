"""Tests that need an NVIDIA GPU; skipped elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import dask.array as da
import numpy as np
import pytest
import torch

import napari_virtualstain as vs
from napari_virtualstain.engine import ReducedResourcesWarning, TiledNetwork, graphs
from napari_virtualstain.engine.predictor import _LARGEST_BATCH
from napari_virtualstain.models import Model
from napari_virtualstain.staining import stain_to_file

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="this machine has no GPU that torch can use"
)
DEVICES = [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cuda"]
GPU = DEVICES[0]


@pytest.fixture(scope="module")
def model(make_model) -> Model:
    return make_model(outputs=["mean", "log_scale"])


def _frames(count: int, side: int) -> np.ndarray:
    noise = np.random.default_rng(count).normal(size=(count, 1, side, side + 24))
    return noise.astype(np.float32)


def _range_off(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference over the range of what was expected."""
    return float(np.abs(found - expected).max() / np.ptp(expected))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("auto", 0.02)])
def test_each_gpu_stains_as_the_cpu(
    model: Model, device: str, precision: str, tolerance: float
) -> None:
    frames = _frames(2, 200)
    expected = TiledNetwork(model.network, device="cpu").predict(frames)
    engine = TiledNetwork(model.network, device=device, precision=precision)
    assert engine.device == torch.device(device)
    for channel in range(2):
        found = engine.predict(frames)[:, channel]
        assert _range_off(found, expected[:, channel]) < tolerance


def test_half_precision_is_what_a_gpu_takes(model: Model) -> None:
    assert TiledNetwork(model.network, device=GPU, precision="auto").precision == "float16"


def test_tiles_join_without_a_seam(model: Model) -> None:
    frame = _frames(1, 256)
    whole, tiled = (
        TiledNetwork(model.network, device=GPU, tile=side).predict(frame) for side in (512, 64)
    )
    assert _range_off(tiled, whole) < 1e-4


def test_pinned_transfers_do_not_mix_frames_up(model: Model) -> None:
    """Buffers are used again at once: a copy that was not waited for would show."""
    frames = _frames(24, 96)
    engine = TiledNetwork(model.network, device=GPU)
    expected = TiledNetwork(model.network, device="cpu").predict(frames)
    one_by_one = np.concatenate([engine.predict(frame[None]) for frame in frames])
    assert _range_off(one_by_one, expected) < 1e-4
    assert _range_off(engine.predict(frames), expected) < 1e-4


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Leave torch 32 MiB of the GPU more than it holds."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(GPU).total_memory
    torch.cuda.set_per_process_memory_fraction(
        (torch.cuda.memory_reserved(GPU) + 32 * 2**20) / total, GPU
    )
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, GPU)
    torch.cuda.empty_cache()


def test_out_of_memory_halves_the_tiles(model: Model, little_memory: None) -> None:
    frame = _frames(1, 1200)
    engine = TiledNetwork(model.network, device=GPU, tile=2048)
    with pytest.warns(ReducedResourcesWarning, match=r"memory of the graphics card \(cuda"):
        found = engine.predict(frame)
    expected = TiledNetwork(model.network, device="cpu").predict(frame)
    assert _range_off(found, expected) < 1e-4


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_captured_graph_gives_the_values_of_the_usual_way(
    model: Model, device: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning that graphs do not work would fail this; so does one that is never captured."""
    monkeypatch.setattr(graphs, "_GAIN", float("inf"))  # kept even where it is not faster
    engine = TiledNetwork(model.network, device=device, precision=precision)
    usual = TiledNetwork(model.network, device=device, precision=precision)
    usual._prepared.release()
    for side in (64, 96, 64):
        for frame in _frames(8, side):
            assert _range_off(engine.predict(frame[None]), usual.predict(frame[None])) < 1e-3
    kept = engine._prepared._fastest._ways
    assert len(kept) == 2
    assert not any(isinstance(way, torch.nn.Module) for way in kept.values())


@pytest.mark.skipif(len(DEVICES) < 2, reason="this machine has one GPU")
def test_graphs_of_two_gpus_are_captured_at_the_same_time(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "_GAIN", float("inf"))
    movie = np.random.default_rng(0).normal(100, 10, (200, 300, 310)).astype(np.float32)
    chosen = {"pixel_size_um": 0.08, "precision": "float32"}
    expected = vs.stain(movie, model, device="cpu", **chosen)
    found = vs.stain(movie, model, device="gpus", **chosen)
    assert _range_off(found, expected) < 1e-4


def test_nothing_is_kept_for_a_frame(model: Model) -> None:
    engine = TiledNetwork(model.network, device=GPU, precision="auto")
    for _ in range(graphs._WORTH_CAPTURING + 1):
        engine.predict(_frames(1, 128))
    before = torch.cuda.memory_allocated(GPU)
    for _ in range(20):
        engine.predict(_frames(1, 128))
    assert torch.cuda.memory_allocated(GPU) == before


def test_a_lazy_movie_goes_to_a_file_in_batches(model: Model, tmp_path) -> None:
    movie = np.random.default_rng(0).normal(100, 10, (_LARGEST_BATCH + 3, 64, 80))
    chosen = {"pixel_size_um": 0.08, "precision": "float32"}
    expected = vs.stain(movie, model, device="cpu", **chosen)
    lazy = da.from_array(movie, chunks=(1, 64, 80))
    for device in (GPU, "gpus"):
        out = stain_to_file(
            lazy, tmp_path / f"{device[:4]}.ome.zarr", model, device=device, **chosen
        )
        assert _range_off(np.asarray(vs.open_stack(out).data), expected) < 1e-4
