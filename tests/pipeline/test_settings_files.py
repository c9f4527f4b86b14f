"""Settings as files, and options merged into them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_virtualstain.errors import InputError, OutputExistsError
from napari_virtualstain.pipeline import (
    PipelineSettings,
    StainSettings,
    load_settings,
    merged_settings,
    save_settings,
)


def test_a_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    settings = PipelineSettings(stain=StainSettings(temporal=3, frames="0:9"))
    file = save_settings(tmp_path / "s.json", settings)
    assert load_settings(file) == settings
    with pytest.raises(OutputExistsError):
        save_settings(file, settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"stain": {"temporal": 16}}, r"stain.temporal = 16: input should be less than or equal"),
        ({"segment": {"treshold": 0.4}}, "segment.treshold is no setting"),
        ({"track": {"linker": "nobody"}}, "expected one of kalman, trackpy"),
        ({"read": {"pixel_size_um": -1}}, "read.pixel_size_um = -1"),
        ([1], "cannot be used"),
    ],
)
def test_what_cannot_be_is_named_with_its_step(tmp_path: Path, content, message: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        load_settings(file)


@pytest.mark.parametrize("content", [b"", b"{", b"axes: tyx", b"\xff\xfe", b"[" * 10**5])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "s.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"no settings file|cannot be used"):
        load_settings(file)


def test_options_win_over_a_file_and_none_leaves_it() -> None:
    base = PipelineSettings(stain=StainSettings(temporal=3, precision="float32"))
    merged = merged_settings(base, {"stain": {"temporal": 0, "precision": None}})
    assert (merged.stain.temporal, merged.stain.precision) == (0, "float32")
    with pytest.raises(InputError, match="stain.temporal = -1"):
        merged_settings(base, {"stain": {"temporal": -1}})
