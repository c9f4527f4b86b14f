"""The record that a run keeps of its steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_virtualstain.errors import OutputExistsError
from napari_virtualstain.pipeline.record import NAME, RunRecord, fingerprint


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "labels.ome.tif"


def test_equal_settings_have_equal_fingerprints_and_unlike_ones_do_not() -> None:
    assert fingerprint({"a": 1, "b": 2}, "x") == fingerprint({"b": 2, "a": 1}, "x")
    assert len({fingerprint(1), fingerprint("1"), fingerprint(1, 1), fingerprint([1])}) == 4


def test_a_step_is_begun_then_done_and_known_to_the_next_run(tmp_path: Path, output: Path) -> None:
    record = RunRecord.of(tmp_path, "movie.tif")
    assert not record.is_begun("segment", "m")
    record.begin("segment", "m", [output])
    assert record.is_begun("segment", "m")
    assert not record.is_done("segment", "m", [output])
    output.write_text("labels")
    record.finish("segment", "m", seconds=2.0)
    again = RunRecord.of(tmp_path, "movie.tif")
    assert again.is_done("segment", "m", [output])
    assert again.facts("segment")["seconds"] == 2.0
    assert not again.is_done("segment", "other settings", [output])
    output.unlink()
    assert not again.is_done("segment", "m", [output])


def test_a_run_killed_between_its_file_and_its_note_is_complete(
    tmp_path: Path, output: Path
) -> None:
    RunRecord.of(tmp_path, "movie.tif").begin("segment", "m", [output])
    output.write_text("labels")
    assert RunRecord.of(tmp_path, "movie.tif").is_done("segment", "m", [output])


def test_a_file_that_was_there_before_does_not_make_a_step_complete(
    tmp_path: Path, output: Path
) -> None:
    output.write_text("of other settings")
    RunRecord.of(tmp_path, "movie.tif").begin("segment", "m", [output])
    assert not RunRecord.of(tmp_path, "movie.tif").is_done("segment", "m", [output])


def test_a_step_of_two_files_is_complete_with_both(tmp_path: Path, output: Path) -> None:
    both = [output, tmp_path / "uncertainty.ome.tif"]
    RunRecord.of(tmp_path, "movie.tif").begin("stain", "m", both)
    for path, is_done in zip(both, (False, True), strict=True):
        path.write_text("image")
        assert RunRecord.of(tmp_path, "movie.tif").is_done("stain", "m", both) == is_done
    # one that was there before may be of other settings
    both[1].unlink()
    RunRecord.of(tmp_path, "movie.tif").begin("stain", "n", both)
    both[1].write_text("image")
    assert not RunRecord.of(tmp_path, "movie.tif").is_done("stain", "n", both)


def test_results_of_other_settings_are_not_replaced_unasked(tmp_path: Path, output: Path) -> None:
    record = RunRecord.of(tmp_path, "movie.tif")
    record.check_free("segment", "m", [output], overwrite=False)
    output.write_text("of other settings")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        record.check_free("segment", "m", [output], overwrite=False)
    record.check_free("segment", "m", [output], overwrite=True)
    record.begin("segment", "m", [output])
    record.check_free("segment", "m", [output], overwrite=False)


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"steps": 3}', "null"])
def test_a_damaged_record_is_none(tmp_path: Path, output: Path, damaged: str) -> None:
    (tmp_path / NAME).write_text(damaged)
    record = RunRecord.of(tmp_path, "movie.tif")
    record.begin("segment", "m", [output])
    assert json.loads((tmp_path / NAME).read_text())["steps"]["segment"]["fingerprint"] == "m"
