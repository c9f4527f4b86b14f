from __future__ import annotations

import pytest
import torch

from napari_virtualstain.engine import free_memory
from napari_virtualstain.engine.devices import _free_of_group, check_precision
from napari_virtualstain.errors import InputError


def test_a_container_limits_the_free_memory(tmp_path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 400000\ninactive_file 200000\n")
    assert _free_of_group(tmp_path) == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert _free_of_group(tmp_path) is None
    assert _free_of_group(tmp_path / "nowhere") is None


def test_free_memory_of_this_machine_is_sane() -> None:
    assert 2**20 < free_memory(torch.device("cpu")) < 2**50


def test_an_unknown_precision_is_refused() -> None:
    assert check_precision("float32") == "float32"
    with pytest.raises(InputError, match="expected one of auto, float32"):
        check_precision("double")
