"""Exit codes and messages: 0 done, 2 bad input, 130 interrupted, 1 a defect of this program.

Whatever goes wrong is said in one plain line on stderr. A defect's traceback goes to a
file that the line names.
"""

from __future__ import annotations

import datetime
import os
import platform
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from .._version import __version__
from ..errors import CancelledError, VirtualStainError
from ..folders import log_folder

DONE, DEFECT, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class PlainGroup(TyperGroup):
    """A group of commands whose failures are one line and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line; exit with its code unless `standalone_mode` is False."""

        def call() -> Any:
            return super(PlainGroup, self).main(
                args=args,
                prog_name=prog_name or "virtualstain",
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )

        code = exit_code_of(call)
        if standalone_mode:
            sys.exit(code)
        return code


def exit_code_of(call: Callable[[], Any]) -> int:
    """Run `call` and return its exit code, having said on stderr what went wrong."""
    try:
        result = call()
        return result if isinstance(result, int) else DONE
    except (CancelledError, KeyboardInterrupt) as error:
        complain(f"Interrupted. {one_line(error)}".strip())
        return INTERRUPTED
    except VirtualStainError as error:
        complain(f"Error: {one_line(error)}")
        return BAD_INPUT
    except typer.Abort:
        complain("Aborted.")
        return DEFECT
    except MemoryError as error:
        complain(
            f"Error: the memory of this machine does not suffice. {one_line(error)} "
            "Close other programs, or give fewer frames (--frames) or a smaller --tile."
        )
        return DEFECT
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            tell(error.format_message())  # type: ignore[attr-defined]
            return DONE
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # usage
            complain(_usage_text(error))
            return BAD_INPUT
        complain(_defect_text(error))
        return DEFECT


def tell(text: str = "", *, err: bool = False) -> None:
    """Write a line to stdout or stderr, or nowhere once its reader has gone (``| head -1``).

    The work goes on then: what a command promises does not depend on who reads its messages.
    """
    try:
        typer.echo(text, err=err)
    except BrokenPipeError:
        stream = sys.stderr if err else sys.stdout
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # also for what is still in its buffer
        os.close(nowhere)


def complain(text: str) -> None:
    """Write one line to stderr."""
    tell(text, err=True)


def one_line(error: BaseException) -> str:
    """Return the message of an error without line breaks, long paths and words cut."""
    text = " ".join(str(error).split()).encode(errors="backslashreplace").decode()
    return re.sub(r"\S{300,}", lambda found: f"{found[0][:120]}…{found[0][-60:]}", text)[:2000]


def _usage_text(error: Any) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "virtualstain"
    message = one_line(ValueError(error.format_message()))
    stop = "" if message.endswith((".", "?")) else "."
    return f"Error: {message}{stop} See: {command} --help"


def _defect_text(error: Exception) -> str:
    """Return a line about an unexpected error, whose traceback it saves."""
    what = f"{type(error).__name__}: {one_line(error)}"[:300]
    advice = "This is a defect of virtualstain, not of your data"
    try:
        path = _save_traceback(error)
    except OSError:
        traceback.print_exception(error)
        return f"Error: {what}. {advice}; please report the lines above."
    return f"Error: {what}. {advice}; please report it with the file {path}"


def _save_traceback(error: Exception) -> Path:
    """Write the traceback of a defect, with versions and command, to a log file; return it."""
    folder = log_folder()
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now()
    path = folder / f"virtualstain-{now:%Y%m%d-%H%M%S-%f}.log"
    head = (
        f"virtualstain {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{now.isoformat()}\ncommand: {' '.join(sys.argv)}\n\n"
    )
    path.write_text(head + "".join(traceback.format_exception(error)), encoding="utf-8")
    return path
