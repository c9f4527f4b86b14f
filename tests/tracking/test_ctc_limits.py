"""Numbers that 16-bit masks can hold."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import napari_virtualstain as vs
from napari_virtualstain.errors import InputError
from napari_virtualstain.tracking.formats import ctc


@pytest.mark.parametrize(("count", "fits"), [(65535, True), (65536, False)])
def test_masks_number_65535_tracks(
    count: int, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.DataFrame({"frame": [0], "y_um": [5.0], "x_um": [5.0]})
    tracks = vs.link(table, frame_interval_s=1.0)
    segments = ctc._segments(tracks).assign(segment=count)
    monkeypatch.setattr(ctc, "_segments", lambda tracks: segments)
    if fits:
        assert (tracks.to_ctc(tmp_path / "ctc") / "res_track.txt").exists()
    else:
        with pytest.raises(InputError, match="65536 tracks"):
            tracks.to_ctc(tmp_path / "ctc")
