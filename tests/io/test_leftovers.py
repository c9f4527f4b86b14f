"""What a killed run leaves beside its output: taken up or removed by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_virtualstain.io import (
    atomic_path,
    check_output,
    has_begun,
    unwritten_outputs,
    write_text_atomically,
)

KILLED = """
import os, signal, sys
from pathlib import Path
from napari_virtualstain.io import atomic_path
with atomic_path(Path(sys.argv[1]), overwrite=True) as place:
    if len(sys.argv) > 2:
        place.mkdir()
        (place / "zarr.json").touch()
        real = os.replace
        def replace(old, new):
            real(old, new)
            os.kill(os.getpid(), signal.SIGKILL)
        os.replace = replace
    else:
        place.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def _kill(*arguments: object) -> None:
    command = [sys.executable, "-c", KILLED, *map(str, arguments)]
    assert subprocess.run(command, check=False).returncode == -9


needs_kill = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not killed so")


@needs_kill
def test_a_hidden_file_of_a_killed_process_is_removed_by_the_next_run(tmp_path: Path) -> None:
    _kill(tmp_path / "a.csv")
    other = {entry.name for entry in tmp_path.iterdir()}
    assert len(other) == 1
    write_text_atomically(tmp_path / "b.csv", "b", overwrite=False)  # another output: left alone
    assert other < {entry.name for entry in tmp_path.iterdir()}
    write_text_atomically(tmp_path / "a.csv", "a", overwrite=False)
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.csv", "b.csv"}


@needs_kill
def test_a_folder_moved_aside_stays_until_there_is_a_new_one(tmp_path: Path) -> None:
    target = tmp_path / "r.zarr"
    target.mkdir()
    (target / "zarr.json").write_text("old")
    _kill(target, "folder")  # between the two renames
    assert not target.exists()
    check_output(target, overwrite=True)
    [aside] = [path for path in tmp_path.iterdir() if path.suffix == ".old"]
    assert (aside / "zarr.json").read_text() == "old"
    target.mkdir()
    (target / "zarr.json").write_text("new")
    check_output(target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["r.zarr"]


def test_what_is_still_being_written_stays(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.csv", overwrite=True) as place:
        place.write_text("first")
        write_text_atomically(tmp_path / "a.csv", "second", overwrite=True)
        assert place.read_text() == "first"


def test_the_journal_of_a_complete_image_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch()
    (tmp_path / "a.tif.partial.journal").touch()
    check_output(tmp_path / "a.tif", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    (tmp_path / "a.tif.partial").touch()
    (tmp_path / "a.tif.partial.journal").touch()
    check_output(tmp_path / "a.tif", overwrite=True)
    assert has_begun(tmp_path / "a.tif")


def test_of_two_images_the_one_that_was_renamed_is_not_written_again(tmp_path: Path) -> None:
    image, beside = tmp_path / "a.tif", tmp_path / "b.tif"
    both = [image, beside]

    def unwritten(*, resume: bool = True, overwrite: bool = False) -> list[Path]:
        return unwritten_outputs(image, beside, resume=resume, overwrite=overwrite)

    assert unwritten_outputs(image, None, resume=True, overwrite=False) == [image]
    beside.touch()
    assert unwritten() == both
    for name in ("a.tif.partial", "a.tif.partial.journal"):
        (tmp_path / name).touch()
    assert unwritten() == [image]
    assert unwritten(resume=False) == unwritten(overwrite=True) == both
    for name in ("b.tif.partial", "b.tif.partial.journal"):
        (tmp_path / name).touch()
    assert unwritten() == both
