"""Several devices: the CPU named twice takes the place of two GPUs."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import dask.array as da
import numpy as np
import pytest

import napari_virtualstain as vs
from napari_virtualstain.engine import Planes, TiledNetwork, devices, resolve_devices
from napari_virtualstain.errors import CancelledError, DeviceError, InputError
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.staining import Stainer, stain_to_file

CHOSEN = {"pixel_size_um": 0.08}


@pytest.fixture(scope="module")
def model(make_model):
    return make_model(outputs=["mean", "log_scale"])


@pytest.fixture(scope="module")
def movie():
    return np.random.default_rng(0).normal(100, 10, (9, 40, 56)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(model, movie):
    return vs.stain(movie, model, device="cpu", uncertainty=True, **CHOSEN)


def test_two_devices_stain_a_movie_as_one_does(model, movie, expected, tmp_path) -> None:
    together = vs.stain(movie, model, device="cpu,cpu", uncertainty=True, **CHOSEN)
    for found, wanted in zip(together, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    lazy = da.from_array(movie, chunks=(1, 40, 56))
    found = vs.stain(lazy, model, device="cpu,cpu", **CHOSEN).compute()
    np.testing.assert_array_equal(found, expected[0])
    for name in ("a.ome.zarr", "a.ome.tif"):
        error = tmp_path / f"u-{name}"
        out = stain_to_file(
            lazy, tmp_path / name, model, device="cpu,cpu", uncertainty_out=error, **CHOSEN
        )
        np.testing.assert_array_equal(vs.open_stack(out).data, expected[0])
        np.testing.assert_array_equal(vs.open_stack(error).data, expected[1])


def test_the_filter_against_flicker_takes_frames_from_two_devices(model, movie, tmp_path) -> None:
    one, two = (
        stain_to_file(movie, tmp_path / f"{n}.ome.tif", model, device=d, temporal=2, **CHOSEN)
        for n, d in enumerate(("cpu", "cpu,cpu"))
    )
    np.testing.assert_array_equal(vs.open_stack(one).data, vs.open_stack(two).data)


def test_a_run_begun_on_two_devices_goes_on_with_one(model, movie, expected, tmp_path) -> None:
    out, token, reported = tmp_path / "out.ome.zarr", CancelToken(), []
    with pytest.raises(CancelledError):
        stain_to_file(
            movie,
            out,
            model,
            device="cpu,cpu",
            progress=lambda p: token.cancel() if p.done == 3 else None,
            cancel=token,
            **CHOSEN,
        )
    assert not out.exists()
    stain_to_file(
        movie,
        out,
        model,
        device="cpu",
        resume=True,
        progress=lambda p: reported.append(p.done),
        **CHOSEN,
    )
    assert reported[0] > 3
    np.testing.assert_array_equal(vs.open_stack(out).data, expected[0])


def test_both_devices_work_at_the_same_time(model, movie, expected, monkeypatch) -> None:
    both, used = threading.Barrier(2), []
    predict = TiledNetwork.predict

    def together(self, frames, **asked):
        used.append(id(self))
        both.wait(10)  # a network that worked alone would wait in vain
        return predict(self, frames, **asked)

    monkeypatch.setattr(TiledNetwork, "predict", together)
    stainer = Stainer(model, device="cpu,cpu", **CHOSEN)
    assert stainer.threads == 2
    fitted = stainer.fit(Planes(movie, "tyx"))
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda plane: stainer.stain(plane[None], fitted), movie[:8]))
    np.testing.assert_array_equal([plane.fluorescence for plane in found], expected[0][:8])
    assert len(used) == 8
    assert set(used) == {id(network) for network in stainer.networks}


def test_one_device_is_used_by_one_thread_at_a_time(model, movie, monkeypatch) -> None:
    inside = threading.Lock()
    predict = TiledNetwork.predict

    def alone(self, frames, **asked):
        assert inside.acquire(blocking=False), "another thread has the network"
        try:
            return predict(self, frames, **asked)
        finally:
            inside.release()

    monkeypatch.setattr(TiledNetwork, "predict", alone)
    stainer = Stainer(model, device="cpu", **CHOSEN)
    fitted = stainer.fit(Planes(movie, "tyx"))
    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(lambda plane: stainer.stain(plane[None], fitted), movie))) == 9


def test_a_stainer_that_is_worth_two_threads_gets_them(
    model, movie, expected, tmp_path, monkeypatch
) -> None:
    """As on a GPU, where one thread prepares frames while the other computes."""
    monkeypatch.setattr(Stainer, "threads", 2)
    np.testing.assert_array_equal(vs.stain(movie, model, device="cpu", **CHOSEN), expected[0])
    out = stain_to_file(movie, tmp_path / "out.ome.tif", model, device="cpu", **CHOSEN)
    np.testing.assert_array_equal(vs.open_stack(out).data, expected[0])


def test_devices_that_disagree_about_the_arithmetic_take_float32(model, monkeypatch) -> None:
    chosen = iter(["float32", "bfloat16", "float32", "float32"])
    asked = []

    def network(module, *, device, tile, precision, ranges):
        asked.append(precision)
        taken = next(chosen)
        return type("", (), {"device": device, "precision": taken, "arithmetic": taken})

    monkeypatch.setattr("napari_virtualstain.staining.stainer.TiledNetwork", network)
    stainer = Stainer(model, device="cpu,cpu", **CHOSEN)
    assert "arithmetic float32" in stainer.note
    assert asked == ["auto", "auto", "float32", "float32"]


def test_a_stainer_of_several_devices_can_be_sent_to_another_process(model) -> None:
    stainer = Stainer(model, device="cpu,cpu", **CHOSEN)
    sent = pickle.loads(pickle.dumps(stainer))
    assert sent.threads == len(sent.networks) == 2
    assert sent.note == stainer.note


def test_all_gpus_are_meant_by_one_word(monkeypatch) -> None:
    with pytest.raises(DeviceError, match=r"graphics card \(cuda\) is not available"):
        resolve_devices("gpus")
    monkeypatch.setattr(devices.torch.cuda, "device_count", lambda: 3)
    assert [str(device) for device in resolve_devices("gpus")] == ["cuda:0", "cuda:1", "cuda:2"]
    assert [str(device) for device in resolve_devices("cuda:0, CUDA:2")] == ["cuda:0", "cuda:2"]


@pytest.mark.parametrize("device", ["cpu,", "cpu,cuda:99", "cpu;cpu", ","])
def test_a_list_with_an_unknown_device_is_refused(model, movie, device: str) -> None:
    with pytest.raises(DeviceError, match=r"(Device|graphics card).* This machine has: .*cpu"):
        vs.stain(movie, model, device=device, **CHOSEN)


def test_unlike_devices_are_refused(model, movie, monkeypatch) -> None:
    monkeypatch.setattr(devices.torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match=r"unlike kinds were named \(cpu, cuda\)"):
        vs.stain(movie, model, device="cpu,cuda:0", **CHOSEN)


def test_several_devices_and_a_scheduler_are_refused(model, movie, tmp_path) -> None:
    with pytest.raises(InputError, match="each of its workers"):
        stain_to_file(
            movie,
            tmp_path / "out.ome.tif",
            model,
            device="cpu,cpu",
            scheduler="tcp://127.0.0.1:1",
            **CHOSEN,
        )
