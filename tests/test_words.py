"""Wording that can be checked: banned words, first lines, titles, lengths."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_virtualstain"
MODULES = sorted(PACKAGE.rglob("*.py"))
TEXTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".napari-hub").glob("*.md")]
)
# STYLE: no personification, no wit, no translated idioms
BANNED = r"\banew\b|\blearnt\b|\bby heart\b|\bis told\b|\bare told\b|\bbe told\b|\btold so\b"
QUESTIONS = r"(What|How|Where|Which|Whether|Who|Why)\b"


def _docstrings(path: Path) -> list[tuple[str, str]]:
    """Return (place, docstring) of the module and of each class and function in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [tree, *ast.walk(tree)]
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    relative = path.relative_to(PACKAGE).as_posix()
    found = {}
    for node in nodes:
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            name = getattr(node, "name", "")
            found[f"{relative}:{name}"] = text
    return list(found.items())


def _strings(path: Path) -> list[str]:
    """Return every string of a module: messages, tooltips, help and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_no_module_or_class_begins_with_a_question() -> None:
    found = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in [tree, *(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef))]:
            text = ast.get_docstring(node) or ""
            if re.match(QUESTIONS, text):
                name = getattr(node, "name", "")
                found.append(f"{path.relative_to(PACKAGE)} {name}: {text.splitlines()[0]}")
    assert found == []


def test_banned_words_are_in_no_text_that_a_person_sees() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in MODULES
        for text in _strings(path)
        for match in re.finditer(BANNED, text)
    ]
    found += [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TEXTS
        for match in re.finditer(BANNED, path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_pages_have_one_short_title_and_readable_lines(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^(#+) (.*)$", text, re.MULTILINE)
    if path.name != "DESCRIPTION.md":
        assert [marks for marks, _ in titles].count("#") == 1
    assert [title for _, title in titles if len(title) > 60] == []
    prose = [line for line in text.splitlines() if not line.startswith(("|", "![", "- ", "$$"))]
    assert [line for line in prose if len(line) > 160] == []


def test_first_lines_of_docstrings_fit_on_a_line_and_end() -> None:
    wrong = [
        f"{place}: {text.splitlines()[0]}"
        for path in MODULES
        for place, text in _docstrings(path)
        if not text.splitlines()[0].rstrip().endswith((".", "?", ":", "``"))
    ]
    assert wrong == []
