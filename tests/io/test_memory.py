from __future__ import annotations

from napari_virtualstain.io.memory import _free_of_group


def test_a_container_limits_the_free_memory(tmp_path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 400000\ninactive_file 200000\n")
    assert _free_of_group(tmp_path) == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert _free_of_group(tmp_path) is None
    assert _free_of_group(tmp_path / "nowhere") is None
