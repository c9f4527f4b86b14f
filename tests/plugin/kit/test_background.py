"""Worker threads: Triton is kept out only where it would end the process."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from napari_virtualstain.plugin.kit import background

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Mesa is Linux's")
PLAIN = "7f00-7f01 r-xp 0 fe:00 1 /usr/lib/libGL.so.1\n"
MESA = PLAIN + "7f02-7f03 r-xp 0 fe:00 2 /usr/lib/x86_64-linux-gnu/libLLVM-15.so.1\n"


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(background, "_MAPS", tmp_path / "maps")
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    return tmp_path / "maps"


def test_triton_counts_as_absent_beside_the_llvm_of_mesa(maps: Path) -> None:
    maps.write_text(MESA)
    background.run_behind(lambda: None)
    with pytest.raises(ImportError):
        import triton  # noqa: F401
    del sys.modules["triton"]


def test_elsewhere_triton_stays_as_it_is(maps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps.write_text(PLAIN)
    background.run_behind(lambda: None)
    assert "triton" not in sys.modules
    imported = ModuleType("triton")
    monkeypatch.setitem(sys.modules, "triton", imported)
    maps.write_text(MESA)
    background.run_behind(lambda: None)
    assert sys.modules["triton"] is imported
