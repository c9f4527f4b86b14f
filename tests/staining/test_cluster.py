from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
from dask_cluster import local_cluster

import napari_virtualstain as vs
from napari_virtualstain.errors import DeviceError
from napari_virtualstain.io import Stack
from napari_virtualstain.staining import cluster_client, stain_to_file


def _stained(make_model: Any, out: Path, frames: int, scheduler: Any) -> None:
    stain_to_file(
        np.zeros((frames, 16, 16)),
        out,
        make_model(),
        pixel_size_um=0.08,
        device="cpu",
        scheduler=scheduler,
    )


def test_no_scheduler_is_a_clear_error_and_leaves_what_was_begun(make_model, tmp_path) -> None:
    pytest.importorskip("distributed")
    begun = tmp_path / "out.ome.tif.partial"
    begun.write_text("a run that was interrupted")
    with pytest.raises(DeviceError, match="no dask scheduler at"):
        _stained(make_model, tmp_path / "out.ome.tif", 2, "nonsense://x")
    assert begun.read_text() == "a run that was interrupted"


@pytest.mark.parametrize("address", ["nonsense", "nonsense://x"])
def test_an_impossible_address_makes_no_client(address, monkeypatch, tmp_path) -> None:
    distributed = pytest.importorskip("distributed")
    made = []  # such a client writes a traceback 20 s later, when it is closed
    monkeypatch.setattr(distributed, "Client", lambda *a, **k: made.append(a))
    with pytest.raises(DeviceError, match="no dask scheduler at"), cluster_client(address):
        pass
    assert not made


class _Client:
    """A client whose cache was refreshed, every few seconds, by an answer without workers."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def nthreads(self) -> dict[str, int]:
        return {f"tcp://10.0.0.{i}:4000": 2 for i in range(self._workers)}

    def scheduler_info(self) -> dict[str, dict[str, int]]:
        return {"workers": {}}


def test_workers_are_asked_of_the_scheduler() -> None:
    with cluster_client(_Client(3)) as client:
        assert isinstance(client, _Client)
    with pytest.raises(DeviceError, match="no workers"), cluster_client(_Client(0)):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # distributed warns of its own
def test_a_worker_stains_a_plane_with_all_of_its_threads(make_model, tmp_path) -> None:
    with local_cluster(1, threads=3) as client:
        _stained(make_model, tmp_path / "out.ome.tif", 4, client)
        assert client.submit(torch.get_num_threads).result() == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # distributed warns while it restarts the worker
def test_a_worker_killed_in_mid_run_changes_nothing(make_model, tmp_path) -> None:
    model = make_model()
    movie = np.random.default_rng(0).normal(100, 10, (24, 64, 64)).astype(np.float32)
    stack = Stack(da.from_array(movie, chunks=(1, 64, 64)), "tyx", 0.08)
    killed = []

    with local_cluster(2) as client:

        def kill_one(progress) -> None:
            if progress.done == 5 and not killed:
                worker = min(client.nthreads())
                killed.append(client.run(os.getpid, workers=[worker])[worker])
                os.kill(killed[0], signal.SIGKILL)

        out = stain_to_file(
            stack,
            tmp_path / "out.ome.tif",
            model,
            device="cpu",
            scheduler=client.scheduler.address,
            progress=kill_one,
        )
    assert killed
    alone = vs.stain(movie, model, pixel_size_um=0.08, device="cpu")
    np.testing.assert_array_equal(vs.open_stack(out).data.compute(), alone)
