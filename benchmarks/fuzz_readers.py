"""Damaged files against the readers: none may escape, hang or exhaust the memory.

    python -m benchmarks.fuzz_readers --count 10000
    python -m benchmarks.fuzz_readers --only zarr-3 trackmate --count 500 --seed 7
    python -m benchmarks.fuzz_readers --cases FOLDER

Small valid inputs of every kind that the package reads are made, changed at random and read, the
pixels and rows too. A mutation flips, cuts, repeats or overwrites bytes; replaces values of JSON,
attributes of XML, cells of a table or numbers of a header by absurd ones; removes or repeats parts;
or renames, removes and empties files of a folder. Each is read in a process of its own (a fork),
with a limit on time and on memory. It passes when the reader returns or raises an error of the
package; it fails as an *escape* (another exception), a *hang* or *memory*.

``--cases`` reads the files of a folder whose names begin with a kind instead. ``--keep`` copies
what fails. The exit status is 1 when anything failed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import napari_virtualstain as vs
from napari_virtualstain.errors import VirtualStainError
from napari_virtualstain.io import open_stack

from .fuzzing.inputs import (
    companion_input,
    ctc_input,
    deltavision_input,
    detections_input,
    micromanager_input,
    model_input,
    ndtiff_input,
    ome_input,
    pairs_input,
    pictures_input,
    plate_input,
    settings_input,
    tiff_input,
    tracks_input,
    zarr_input,
)
from .fuzzing.mutations import mutate

SECONDS = 20  # of the processor, so that a busy machine makes no hang
WALL_SECONDS = 90
MEMORY_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input: how a valid one is made, and how it is read."""

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]


# --- valid inputs ---------------------------------------------------------------------------------


def _read_image(path: Path) -> None:
    stack = open_stack(path)
    for index in (0, -1):
        place = tuple(index for _ in stack.axes[:-2])
        np.asarray(stack.data[place])
    stack.describe()


def _read_model(path: Path) -> None:
    vs.load_model(path)


def _read_detections(**options: Any) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        from napari_virtualstain.io import read_table
        from napari_virtualstain.pipeline import tracking_config

        vs.link(read_table(path, "frame, y_um, x_um"), config=tracking_config(**options))

    return read


def _read_pairs(path: Path) -> None:
    from napari_virtualstain.data import match_pairs

    match_pairs(path)


def _read_settings(path: Path) -> None:
    from napari_virtualstain.pipeline import load_settings

    load_settings(path)


KINDS = {
    "tiff": Kind(tiff_input(), _read_image),
    "tiff-deflate": Kind(tiff_input(compression="zlib"), _read_image),
    "tiff-tiled": Kind(tiff_input(tile=(16, 16), compression="lzw"), _read_image),
    "tiff-big": Kind(tiff_input(bigtiff=True, byteorder=">"), _read_image),
    "imagej": Kind(
        tiff_input(imagej=True, metadata={"axes": "TYX", "unit": "um", "finterval": 2.0}),
        _read_image,
    ),
    "ome-xml": Kind(ome_input, _read_image),
    "companion": Kind(companion_input, _read_image),
    "micromanager": Kind(micromanager_input, _read_image),
    "ndtiff": Kind(ndtiff_input, _read_image),
    "deltavision": Kind(deltavision_input, _read_image),
    "folder-pngs": Kind(pictures_input("png"), _read_image),
    "folder-jpegs": Kind(pictures_input("jpg"), _read_image),
    "folder-tiffs": Kind(pictures_input("tif"), _read_image),
    "zarr-v2": Kind(zarr_input(2), _read_image),
    "zarr-v3": Kind(zarr_input(3), _read_image),
    "zarr-plate": Kind(plate_input, _read_image),
    "model": Kind(model_input, _read_model),
    "detections-kalman-extended": Kind(detections_input, _read_detections(mode="extended")),
    "detections-kalman-paper": Kind(detections_input, _read_detections(mode="paper")),
    "detections-trackpy": Kind(detections_input, _read_detections(linker="trackpy")),
    "tracks-csv": Kind(lambda folder: tracks_input().to_csv(folder / "t.csv"), vs.Tracks.from_csv),
    "trackmate-xml": Kind(
        lambda folder: tracks_input().to_trackmate(folder / "t.xml"), vs.Tracks.from_trackmate
    ),
    "ctc": Kind(ctc_input, vs.Tracks.from_ctc),
    "geff": Kind(lambda folder: tracks_input().to_geff(folder / "t.geff"), vs.Tracks.from_geff),
    "pairs": Kind(pairs_input, _read_pairs),
    "settings": Kind(settings_input, _read_settings),
}

# --- mutations ------------------------------------------------------------------------------------


def _inputs(kinds: dict[str, Kind], root: Path) -> dict[str, Path]:
    """Make a valid input of every kind below `root`, and import what reading them needs."""
    made = {name: _valid(kind, root / name) for name, kind in kinds.items()}
    _warm_up(kinds, made)
    return made


def _warm_up(kinds: dict[str, Kind], inputs: dict[str, Path]) -> None:
    """Import what the readers need, so that no case spends its time on it.

    Each kind's valid input is read in a fork, because reading starts threads, and what it imported
    is imported here. A valid input that cannot be read ends the program.
    """
    for name, kind in kinds.items():
        lines = _of_fork(lambda kind=kind, name=name: _imported_by(kind, inputs[name]))
        if lines is None:
            raise SystemExit(f"the valid input of {name} could not be read")
        for module in lines.split():
            with suppress(ImportError):
                importlib.import_module(module)


def _imported_by(kind: Kind, path: Path) -> str:
    before = set(sys.modules)
    kind.read(path)
    # not those that exist only as attributes of an extension module
    return " ".join(
        name
        for name, module in list(sys.modules.items())
        if name not in before and getattr(module, "__spec__", None) is not None
    )


def _of_fork(work: Callable[[], str]) -> str | None:
    """Return what `work` returns in a fork of this process; None if it fails there."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(receive)
            with os.fdopen(send, "w") as pipe:
                pipe.write(work())
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    os.close(send)
    with os.fdopen(receive) as pipe:
        text = pipe.read()
    return None if os.waitpid(child, 0)[1] else text


def attempt(kind: Kind, path: Path) -> tuple[str, str]:
    """Return what reading `path` ends in, and the last lines of its traceback.

    ``fine``, ``refused``, ``escape``, ``hang`` or ``memory``; in a fork of this process.
    """
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        outcome, detail = _in_child(kind, path)
        os.write(send, f"{outcome}\n{detail}"[:4000].encode(errors="replace"))
        os._exit(0)
    os.close(send)
    end = time.monotonic() + WALL_SECONDS
    most = _resident_bytes(os.getpid()) + MEMORY_BYTES
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        is_late = time.monotonic() > end
        if is_late or _resident_bytes(child) > most:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(receive)
            return ("hang" if is_late else "memory"), "killed"
        time.sleep(0.003)
    with os.fdopen(receive, "rb") as pipe:
        outcome, _, detail = pipe.read().decode(errors="replace").partition("\n")
    return outcome or "memory", detail if outcome else "the process died"


def _resident_bytes(process: int) -> int:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class _TooLongError(BaseException):
    """The time of one case is over."""


def _in_child(kind: Kind, path: Path) -> tuple[str, str]:
    def stop(number: int, frame: Any) -> None:
        raise _TooLongError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    # allocators reserve addresses that they never use; what is used is watched from outside
    limit = pages * os.sysconf("SC_PAGE_SIZE") + 8 * MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.simplefilter("ignore")
    try:
        kind.read(path)
        return "fine", ""
    except VirtualStainError as error:
        is_memory = isinstance(error.__cause__, MemoryError)
        return ("memory" if is_memory else "refused"), str(error)
    except _TooLongError:
        return "hang", traceback.format_exc(limit=-6)
    except MemoryError:
        return "memory", traceback.format_exc(limit=-6)
    except BaseException:
        return "escape", traceback.format_exc(limit=-6)


def run(
    kinds: dict[str, Kind], count: int, seed: int, *, keep: Path | None = None
) -> Counter[tuple[str, str]]:
    """Read `count` mutations, the kinds in turn, and return how often each kind ended how."""
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        made = _inputs(kinds, root)
        for number in range(count):
            name = list(kinds)[number % len(kinds)]
            case = root / "case"
            shutil.copytree(root / name, case)
            path = case / made[name].relative_to(root / name)
            chance = random.Random(f"{seed}-{name}-{number}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mutate(path if path.exists() else case, chance)
            outcome, detail = attempt(kinds[name], path)
            counts[name, outcome] += 1
            if outcome not in ("fine", "refused"):
                print(f"{name} {number}: {outcome}: {detail.strip()[-600:]}", file=sys.stderr)
                if keep is not None:
                    shutil.copytree(case, keep / f"{name}-{number}-{outcome}", dirs_exist_ok=True)
            shutil.rmtree(case)
    return counts


def _valid(kind: Kind, folder: Path) -> Path:
    """Make a valid input in a process of its own, and return its path."""
    folder.mkdir()
    path = _of_fork(lambda: str(kind.make(folder)))
    if path is None:
        raise SystemExit(f"{folder.name} could not be made")
    return Path(path)


def _cases(folder: Path) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as place:
        _inputs(KINDS, Path(place))
    for case in sorted(folder.iterdir()):
        names = [name for name in KINDS if case.name.startswith(name)]
        if not names:
            continue
        name = max(names, key=len)
        outcome, detail = attempt(KINDS[name], case)
        counts[name, outcome] += 1
        print(f"{case.name}: {outcome}: {detail.strip()[-160:]}")
    return counts


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2600, help="mutations, over all kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=KINDS, help="kinds to try")
    parser.add_argument("--cases", type=Path, help="folder of inputs instead of mutations")
    parser.add_argument("--keep", type=Path, help="where inputs that fail are copied")
    given = parser.parse_args()
    kinds = {name: KINDS[name] for name in given.only or KINDS}
    started = time.monotonic()
    if given.cases is not None:
        counts = _cases(given.cases)
    else:
        counts = run(kinds, given.count, given.seed, keep=given.keep)
    outcomes = ("fine", "refused", "escape", "hang", "memory")
    print(f"{'kind':28}", *(f"{outcome:>8}" for outcome in outcomes))
    for name in KINDS:
        if any(counts[name, outcome] for outcome in outcomes):
            print(f"{name:28}", *(f"{counts[name, outcome]:8}" for outcome in outcomes))
    total = {o: sum(n for (_, found), n in counts.items() if found == o) for o in outcomes}
    print(f"{'all':28}", *(f"{total[outcome]:8}" for outcome in outcomes))
    print(f"{time.monotonic() - started:.0f} s")
    failed = total["escape"] + total["hang"] + total["memory"]
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
