"""Help, version, start-up, exit codes, and what is said when something goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_virtualstain import __version__
from napari_virtualstain.cli import exits, running
from napari_virtualstain.cli.running import Job, ProgressLine, running_job
from napari_virtualstain.errors import CancelledError, InputError, VirtualStainError
from napari_virtualstain.progress import Progress

Run = Callable[..., Any]

COMMANDS = [
    "demo",
    "simulate",
    "stain",
    "segment",
    "track",
    "run",
    "evaluate",
    "train",
    "train-segmenter",
    "models",
    "doctor",
    "models list",
    "models info",
    "models export",
]


def _shell(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    code = "from napari_virtualstain.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(run: Run, command: str) -> None:
    output = run(*command.split(), "--help").output
    assert "Usage: virtualstain" in output
    if command != "models":
        assert f"Example:  virtualstain {command}" in output


def test_the_version(run: Run) -> None:
    assert run("--version").output == f"virtualstain {__version__}\n"


def test_without_a_command_it_shows_what_there_is(run: Run) -> None:
    output = run().output
    assert all(f"  {command}" in output for command in ("demo", "stain", "segment", "track"))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['virtualstain', 'stain', '--help']\n"
        "from napari_virtualstain.cli import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert not loaded & {"torch", "numpy", "pandas", "dask", "napari", "matplotlib", "scipy"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stian"], "Error: No such command 'stian'"),
        (["stain"], "Error: Missing argument"),
        (["stain", "a.tif"], "Error: Missing option '--output' / '-o'. See: virtualstain stain"),
        (["stain", "a.tif", "-o", "b.tif", "--tilt", "3"], "Error: No such option"),
        (["simulate", "out", "--frames", "many"], "Error: Invalid value for '--frames'"),
        (["segment", "a.tif", "-o", "b.tif", "--split", "knife"], "'knife' is not one of"),
    ],
)
def test_a_mistyped_command_is_answered_in_one_line(
    run: Run, arguments: list[str], message: str
) -> None:
    result = run(*arguments, code=2)
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "--help" in result.stderr
    assert result.stdout == ""


def test_it_works_as_a_program_of_its_own(tmp_path: Path) -> None:
    done = _shell("stain", "no.tif", "-o", "out.ome.tif", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "Error: no.tif does not exist. Check the path.\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("The pixel\n size is 0."), 2, "Error: The pixel size is 0."),
        (VirtualStainError("No."), 2, "Error: No."),
        (CancelledError("Cancelled."), 130, "Interrupted. Cancelled."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (MemoryError(), 1, "memory of this machine does not suffice"),
    ],
)
def test_exit_codes(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    assert exits.exit_code_of(fail) == code
    captured = capsys.readouterr().err
    assert words in captured
    assert captured.count("\n") <= 1


def test_a_defect_is_one_line_that_names_the_file_with_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def fail() -> None:
        raise ZeroDivisionError("by\nzero")

    assert exits.exit_code_of(fail) == 1
    line = capsys.readouterr().err
    assert line.startswith("Error: ZeroDivisionError: by zero. This is a defect of virtualstain")
    assert line.count("\n") == 1
    log = Path(line.strip().rpartition("the file ")[2])
    assert "in fail" in log.read_text()
    assert __version__ in log.read_text()


@pytest.fixture
def as_in_a_terminal() -> Iterator[None]:
    """Heed Ctrl-C, which a shell lets its background children ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("as_in_a_terminal")
def test_ctrl_c_asks_the_work_to_stop_and_twice_stops_it() -> None:
    with running_job() as job:
        os.kill(os.getpid(), signal.SIGINT)
        assert job.cancel.cancelled
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_during_a_real_command_is_130_and_leaves_no_torn_output(tmp_path: Path) -> None:
    code = "from napari_virtualstain.cli import main; main()"
    arguments = ["simulate", "scene", "--frames", "2000", "--size", "64", "--count", "3"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "scene").exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Stopping after the work in hand" in stderr
    assert "Interrupted." in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "scene").exists()


def test_warnings_of_the_package_are_plain_lines_once(capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    class OurWarning(UserWarning):
        __module__ = "napari_virtualstain.somewhere"

    with running_job():
        for _ in range(3):
            warnings.warn("The pixel size\n was assumed.", OurWarning, stacklevel=1)
        warnings.warn("A library is old.", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == "Warning: The pixel size was assumed.\n"


def test_progress_is_a_line_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine()
    for done in range(1, 4):
        line(Progress(done, 3, "frame", "staining", elapsed_s=done * 2.0))
    line.close()
    assert capsys.readouterr().err == "staining: frame 3/3, 2 s/frame, 0 s left\n"


def test_progress_is_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    job = Job()
    job.progress(Progress(1, 4, "frame", "staining", elapsed_s=2.0))
    job.progress(Progress(4, 4, "frame", "staining", elapsed_s=8.0))
    job.say("out.tif: written")
    captured = capsys.readouterr()
    assert "staining: frame 4/4, 2 s/frame, 0 s left" in captured.err
    assert "100%" in captured.err
    assert captured.out == "out.tif: written\n"


def test_what_the_terminal_cannot_show_becomes_a_question_mark(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = _shell("models", "list", cwd=tmp_path, env=environment, encoding="latin-1")
    assert done.returncode == 0, done.stderr
    assert "0.08 µm/px" in done.stdout
    assert "as a start for ?" in done.stdout  # an ellipsis is not in Latin-1


@pytest.mark.parametrize(("seconds", "lines"), [(9.9, 0), (10.0, 1)])
def test_a_log_gets_a_line_every_ten_seconds(
    seconds: float,
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = [100.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: clock[0])
    line = ProgressLine()
    line(Progress(1, 9, step="staining"))
    clock[0] += seconds
    line(Progress(2, 9, step="staining"))
    assert len(capsys.readouterr().err.splitlines()) == lines


@pytest.mark.skipif(not hasattr(os, "fork"), reason="pipes of another kind")
def test_a_reader_that_has_gone_stops_no_work(tmp_path: Path) -> None:
    """As in ``virtualstain track ... | head -1``, which writes two files and two lines."""
    labels = np.zeros((3, 16, 16), np.int32)
    labels[:, 4:9, 4:9] = 1
    tifffile.imwrite(tmp_path / "labels.tif", labels, photometric="minisblack")
    receive, send = os.pipe()
    os.close(receive)
    code = "from napari_virtualstain.cli import main; main()"
    options = ["--pixel-size-um", "0.1", "--frame-interval-s", "1"]
    outputs = ["-o", "tracks.csv", "--labels-out", "tracked.ome.tif"]
    done = subprocess.run(
        [sys.executable, "-c", code, "track", "labels.tif", *outputs, *options],
        stdout=send,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    os.close(send)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert {"tracks.csv", "tracked.ome.tif"} < {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("length", "shown"),
    [(299, "a" * 299), (300, "a" * 120 + "…" + "a" * 60)],
)
def test_words_of_three_hundred_letters_are_cut_in_the_middle(length: int, shown: str) -> None:
    assert exits.one_line(InputError(f"No {'a' * length} here.")) == f"No {shown} here."


def test_a_message_has_two_thousand_letters_at_most() -> None:
    words = "word " * 400
    assert exits.one_line(InputError(words)) == words.strip()
    assert len(exits.one_line(InputError(words + "more"))) == 2000


@pytest.mark.parametrize(("result", "code"), [(None, 0), (3, 3), ("text", 0), (Path("out"), 0)])
def test_what_a_command_returns_is_its_code_if_it_is_one(result: Any, code: int) -> None:
    assert exits.exit_code_of(lambda: result) == code


def test_a_question_that_is_not_answered_ends_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def abort() -> None:
        raise exits.typer.Abort

    assert exits.exit_code_of(abort) == 1
    assert capsys.readouterr().err == "Aborted.\n"


@pytest.mark.parametrize(("text", "ending"), [("No.", "No."), ("No", "No."), ("No?", "No?")])
def test_a_usage_error_is_a_sentence_with_the_way_to_the_help(text: str, ending: str) -> None:
    class Usage(Exception):
        exit_code = 2
        ctx = None

        def format_message(self) -> str:
            return text

    assert exits._usage_text(Usage()) == f"Error: {ending} See: virtualstain --help"


def test_where_no_log_can_be_written_the_traceback_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_error: Exception) -> Path:
        raise OSError("No space left")

    monkeypatch.setattr(exits, "_save_traceback", full)

    def fail() -> None:
        raise ZeroDivisionError("x" * 400 + " end")

    assert exits.exit_code_of(fail) == 1
    shown = capsys.readouterr().err
    assert "in fail" in shown
    assert shown.splitlines()[-1].endswith("please report the lines above.")


def test_a_new_step_begins_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: clock[0])
    line = ProgressLine()
    for step in ("staining", "segmenting"):
        clock[0] += 9.0  # of each step the first line comes after ten seconds
        line(Progress(1, 9, step=step))
    clock[0] += 9.9
    line(Progress(2, 9, step="segmenting"))
    assert capsys.readouterr().err == ""
    clock[0] += 0.1
    line(Progress(3, 9, step="segmenting"))
    line(Progress(9, 9, step="segmenting"))
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_job_in_a_thread_leaves_ctrl_c_to_the_program() -> None:
    import threading

    before = signal.getsignal(signal.SIGINT)
    seen: list[Any] = []

    def work() -> None:
        with running_job() as job:
            seen.extend((signal.getsignal(signal.SIGINT), job.cancel.cancelled))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, False]
