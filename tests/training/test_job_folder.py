"""Job folders: everything goes along, the command runs them, and damage is named."""

from __future__ import annotations

import errno
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_virtualstain.cli.app import app
from napari_virtualstain.data import CorrelativePairs, Region
from napari_virtualstain.errors import InputError, OutputError, OutputExistsError
from napari_virtualstain.models import ModelCard, build_network, read_card, save_model
from napari_virtualstain.training import outcome_of_job, preset, read_job, write_job


def _pairs() -> CorrelativePairs:
    images = np.random.default_rng(0).normal(100, 10, size=(4, 48, 48)).astype(np.float32)
    pairs = CorrelativePairs.from_arrays(
        images, images[::-1], groups=list("aabb"), pixel_size_um=0.08
    )
    return pairs.within([Region(0, 0, 40, 40, vertices=((0, 0), (0, 39), (39, 0)))])


def _start(folder: Path) -> str:
    card = ModelCard(name="tiny", architecture={"name": "unet", "arguments": {"widths": [4, 8]}})
    return str(save_model(folder / "tiny.safetensors", build_network(card.architecture), card))


@pytest.mark.slow
def test_a_job_runs_elsewhere_with_all_that_it_was_written_with(tmp_path: Path) -> None:
    config = preset().updated(
        name="mine", init=_start(tmp_path), steps=2, batch_size=2, crop_size=32, report=False
    )
    written = write_job(tmp_path / "job", _pairs(), config.updated(validation_groups=("b",)))
    (tmp_path / "tiny.safetensors").unlink()
    elsewhere = tmp_path / "another machine"
    shutil.move(written.folder, elsewhere)
    job = read_job(elsewhere)
    assert job.pairs.masks[0].sum() < job.pairs.masks[0].size
    np.testing.assert_array_equal(job.pairs.fluorescence[1], _pairs().fluorescence[1])
    answer = CliRunner().invoke(app, ["train", "--job", str(elsewhere)])
    assert answer.exit_code == 0, answer.output
    card = read_card(elsewhere / "mine.safetensors")
    assert card.split["validation_groups"] == ["b"]
    assert card.training["settings"]["init"] == "start.safetensors"
    assert (elsewhere / "history.csv").exists()


def test_a_full_disk_leaves_the_folder_empty_for_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, **arrays: np.ndarray) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    planes = np.random.default_rng(0).normal(size=(2, 32, 32))
    pairs = CorrelativePairs.from_arrays(planes, planes)
    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OutputError, match=r"\(No space left on device\)\. Free some space"):
        write_job(tmp_path / "job", pairs, preset("A"))
    assert list((tmp_path / "job").iterdir()) == []
    monkeypatch.undo()
    assert len(write_job(tmp_path / "job", pairs, preset("A")).pairs) == 2


def test_what_is_no_job_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no whole training job"):
        read_job(tmp_path)
    job = write_job(tmp_path / "job", _pairs(), preset().updated(steps=1))
    with pytest.raises(OutputExistsError, match="not empty"):
        write_job(tmp_path / "job", _pairs(), preset())
    (job.folder / "pairs.npz").write_bytes(b"PK damaged")
    with pytest.raises(InputError, match="holds no whole training job"):
        read_job(job.folder)
    answer = CliRunner().invoke(app, ["train", "--job", str(tmp_path / "nothing")])
    assert answer.exit_code == 2


def torn_outcome() -> bytes:
    whole = io.BytesIO()
    np.savez(whole, text=np.array("{}"))
    return whole.getvalue()[:100]


@pytest.mark.parametrize(
    "content", [b"", b"torn", torn_outcome()], ids=["empty", "text", "part of an archive"]
)
def test_an_outcome_that_is_no_archive_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "outcome.npz").write_bytes(content)
    with pytest.raises(InputError, match="outcome of the job"):
        outcome_of_job(tmp_path / "mine.safetensors")
