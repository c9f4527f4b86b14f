"""Several devices: the CPU named twice takes the place of two GPUs."""

from __future__ import annotations

import pickle
import threading

import dask.array as da
import numpy as np
import pytest
import torch

import napari_virtualstain as vs
from napari_virtualstain.engine import devices, resolve_devices
from napari_virtualstain.errors import CancelledError, DeviceError, InputError
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.staining import StainedPlane, Stainer, stain_to_file
from napari_virtualstain.staining.several_devices import StainerTeam

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
    out, token, told = tmp_path / "out.ome.zarr", CancelToken(), []
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
        progress=lambda p: told.append(p.done),
        **CHOSEN,
    )
    assert told[0] > 3
    np.testing.assert_array_equal(vs.open_stack(out).data, expected[0])


class _Slow:
    """A member that waits until the other one is at work too."""

    threads, card, pixel_size_um = 0, None, None

    def __init__(self, both: threading.Barrier) -> None:
        self.both, self.batches = both, 0
        self.network = type("", (), {"device": torch.device("cpu"), "precision": "float32"})

    def stain_batch(self, batch, fitted, *, region=None, on_tile=None):
        self.both.wait(10)
        self.batches += 1
        return [StainedPlane(plane[0]) for plane in batch]

    def fit(self, source):
        return None

    def frames_at_once(self, shape, region=None):
        return 1

    @property
    def inputs(self):
        return vs.models.Inputs()

    note = ""


def test_both_devices_work_at_the_same_time(movie, tmp_path, monkeypatch) -> None:
    both = threading.Barrier(2)
    members = [_Slow(both), _Slow(both)]
    team = StainerTeam(members)
    fitted = type("", (), {"offset": 0.0, "scale": 1.0, "level": 0.0})
    monkeypatch.setattr(_Slow, "fit", lambda self, source: fitted)
    monkeypatch.setattr("napari_virtualstain.staining.inputs.open_stainer", lambda *_, **__: team)
    np.testing.assert_array_equal(vs.stain(movie[:8]), movie[:8])
    out = stain_to_file(movie[:8], tmp_path / "out.ome.tif")
    np.testing.assert_array_equal(vs.open_stack(out).data, movie[:8])
    assert [member.batches for member in members] == [8, 8]


def test_a_stainer_that_is_worth_two_threads_gets_them(
    model, movie, expected, tmp_path, monkeypatch
) -> None:
    """As on a GPU, where one thread prepares frames while the other computes."""
    monkeypatch.setattr(Stainer, "threads", 2)
    np.testing.assert_array_equal(vs.stain(movie, model, device="cpu", **CHOSEN), expected[0])
    out = stain_to_file(movie, tmp_path / "out.ome.tif", model, device="cpu", **CHOSEN)
    np.testing.assert_array_equal(vs.open_stack(out).data, expected[0])


def test_devices_that_disagree_about_the_arithmetic_take_float32(model) -> None:
    one = Stainer(model, **CHOSEN).changed(device="cpu", precision="float32")
    other = one.changed(precision="bfloat16")
    team = StainerTeam([one, other])
    assert "float32" in team.note
    assert [member.network.precision for member in team._members] == ["float32"] * 2


def test_a_team_can_be_sent_to_another_process(model, movie) -> None:
    member = Stainer(model, **CHOSEN).changed(device="cpu")
    sent = pickle.loads(pickle.dumps(StainerTeam([member, member])))
    assert sent.threads == 2
    assert sent.note == member.note


def test_all_gpus_are_meant_by_one_word(monkeypatch) -> None:
    with pytest.raises(DeviceError, match="'cuda' is not available"):
        resolve_devices("gpus")
    monkeypatch.setattr(devices.torch.cuda, "device_count", lambda: 3)
    assert [str(device) for device in resolve_devices("gpus")] == ["cuda:0", "cuda:1", "cuda:2"]
    assert [str(device) for device in resolve_devices("cuda:0, CUDA:2")] == ["cuda:0", "cuda:2"]


@pytest.mark.parametrize("device", ["cpu,", "cpu,cuda:99", "cpu;cpu", ","])
def test_a_list_with_an_unknown_device_is_refused(model, movie, device: str) -> None:
    with pytest.raises(DeviceError, match="not available"):
        vs.stain(movie, model, device=device, **CHOSEN)


def test_unlike_devices_are_refused(model) -> None:
    members = [Stainer(model, **CHOSEN).changed(device="cpu") for _ in range(2)]
    members[1].network._prepared.device = torch.device("cuda")
    with pytest.raises(DeviceError, match="unlike kinds"):
        StainerTeam(members)


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
