"""Record of finished steps of a movie and their settings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import OutputExistsError
from ..io import write_text_atomically

NAME = "run.json"


def fingerprint(*parts: Any) -> str:
    """Return a short name of settings: equal for equal ones.

    Examples
    --------
    >>> fingerprint({"a": 1}) == fingerprint({"a": 1}) != fingerprint({"a": 2})
    True
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(slots=True)
class RunRecord:
    """The steps of one movie that are complete or begun; kept in the movie's folder.

    Attributes
    ----------
    folder : Path
        Of the movie's results.
    content : dict
        As it is in the file.
    """

    folder: Path
    content: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, source: str) -> RunRecord:
        """Return the record in `folder`, an empty one where there is none or it is damaged."""
        try:
            content = json.loads((folder / NAME).read_text(encoding="utf-8"))
            steps = dict(content["steps"])
        except (OSError, ValueError, KeyError, TypeError):
            steps = {}
        return cls(folder, {"input": source, "version": __version__, "steps": steps})

    def is_done(self, step: str, mark: str, outputs: list[Path]) -> bool:
        """Return whether a step is complete with these settings and its files are there.

        Files that were not there when the step began and are there now are complete,
        for they appear whole: the run was then killed between the last file and its note.
        """
        known = self._step(step)
        is_whole = known.get("state") == "done" or known.get("from_nothing") is True
        return (
            known.get("fingerprint") == mark and is_whole and all(path.exists() for path in outputs)
        )

    def is_begun(self, step: str, mark: str) -> bool:
        """Return whether an interrupted run began a step with these very settings."""
        known = self._step(step)
        return known.get("state") == "begun" and known.get("fingerprint") == mark

    def check_free(self, step: str, mark: str, outputs: list[Path], overwrite: bool) -> None:
        """Refuse to replace results of other settings unless asked to.

        Raises
        ------
        OutputExistsError
            There are some.
        """
        there = [path for path in outputs if path.exists()]
        if there and not overwrite and not self.is_begun(step, mark):
            raise OutputExistsError(
                f"{there[0]} exists already, made from another input or with other settings. "
                "Choose another folder, or allow replacing it (--overwrite)."
            )

    def begin(self, step: str, mark: str, outputs: list[Path]) -> None:
        """Note that a step is being done."""
        from_nothing = not any(path.exists() for path in outputs)
        if self.is_begun(step, mark):
            from_nothing = from_nothing or self._step(step).get("from_nothing") is True
        state = {"state": "begun", "fingerprint": mark, "from_nothing": from_nothing}
        self._note(step, state)

    def finish(self, step: str, mark: str, **facts: Any) -> None:
        """Note that a step is complete, with facts about it."""
        self._note(step, {"state": "done", "fingerprint": mark, **facts})

    def facts(self, step: str) -> dict[str, Any]:
        """Return what is noted about a step, nothing where it was never done."""
        return dict(self._step(step))

    def _step(self, step: str) -> dict[str, Any]:
        known = self.content["steps"].get(step)
        return known if isinstance(known, dict) else {}

    def _note(self, step: str, state: dict[str, Any]) -> None:
        self.content["steps"][step] = state
        text = json.dumps(self.content, indent=2, default=str) + "\n"
        write_text_atomically(self.folder / NAME, text, overwrite=True)
