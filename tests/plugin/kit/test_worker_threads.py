"""Worker threads: Triton is kept out where it would end the process, torch comes once."""

from __future__ import annotations

import gc
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from napari_virtualstain.errors import CancelledError
from napari_virtualstain.plugin.kit import worker_threads
from napari_virtualstain.progress import CancelToken

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Mesa is Linux's")
PLAIN = "7f00-7f01 r-xp 0 fe:00 1 /usr/lib/libGL.so.1\n"
MESA = PLAIN + "7f02-7f03 r-xp 0 fe:00 2 /usr/lib/x86_64-linux-gnu/libLLVM-15.so.1\n"


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(worker_threads, "_MAPS", tmp_path / "maps")
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    return tmp_path / "maps"


def test_triton_counts_as_absent_beside_the_llvm_of_mesa(maps: Path) -> None:
    maps.write_text(MESA)
    worker_threads.run_behind(lambda: None)
    with pytest.raises(ImportError):
        import triton  # noqa: F401
    del sys.modules["triton"]


def test_elsewhere_triton_stays_as_it_is(maps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps.write_text(PLAIN)
    worker_threads.run_behind(lambda: None)
    assert "triton" not in sys.modules
    imported = ModuleType("triton")
    monkeypatch.setitem(sys.modules, "triton", imported)
    maps.write_text(MESA)
    worker_threads.run_behind(lambda: None)
    assert sys.modules["triton"] is imported


def test_a_job_that_waits_for_torch_can_be_cancelled_and_the_import_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, begun = threading.Event(), []

    def slowly() -> None:
        begun.append(1)
        gate.wait(20)

    from napari_virtualstain.staining import Stainer  # noqa: F401  torch is not imported twice

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(worker_threads, "_torch", worker_threads._TorchImport())
    monkeypatch.setattr(worker_threads, "_load_libraries", slowly)
    token = CancelToken()
    threading.Timer(0.1, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        worker_threads.import_torch(token)
    assert time.monotonic() - began < 1
    threading.Timer(0.1, gate.set).start()
    worker_threads.import_torch()  # the next job waits for the same import
    assert gate.is_set()
    assert begun == [1]


def test_an_import_that_fails_is_told_to_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ImportError("no torch here")

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(worker_threads, "_torch", worker_threads._TorchImport())
    monkeypatch.setattr(worker_threads, "_load_libraries", fails)
    for _ in range(2):
        with pytest.raises(ImportError, match="no torch here"):
            worker_threads.import_torch()


def test_garbage_is_collected_later_and_then_as_before() -> None:
    assert gc.isenabled()
    with pytest.raises(RuntimeError), worker_threads.collecting_later():
        assert not gc.isenabled()
        with worker_threads.collecting_later():  # one within another changes nothing
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise RuntimeError("the layer was refused")
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    gc.disable()
    try:
        with worker_threads.collecting_later():
            pass
        assert not gc.isenabled()  # as its caller wants it
    finally:
        gc.enable()
    gc.freeze()
    try:
        with worker_threads.collecting_later():
            assert gc.isenabled()
        assert gc.get_freeze_count() > 0  # what another has frozen stays so
    finally:
        gc.unfreeze()


def test_threads_change_over_quickly_while_torch_is_imported_and_then_as_before() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(RuntimeError), worker_threads._changing_over_quickly():
        assert sys.getswitchinterval() < before
        raise RuntimeError("no torch")
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize(("niceness", "expected"), [(0, 5), (14, 19), (15, 19), (19, 19)])
def test_work_is_five_steps_nicer_as_far_as_there_are_steps(
    monkeypatch: pytest.MonkeyPatch, niceness: int, expected: int
) -> None:
    given: list[int] = []
    monkeypatch.setattr(worker_threads.os, "getpriority", lambda *_: niceness)
    monkeypatch.setattr(worker_threads.os, "setpriority", lambda *values: given.append(values[2]))
    worker_threads.give_way()
    assert given == [expected]
    monkeypatch.setattr(worker_threads.sys, "platform", "darwin")
    worker_threads.give_way()  # there it would mean the whole process
    assert given == [expected]
