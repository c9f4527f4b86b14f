"""Make the reference pages of the manual from the program itself.

mkdocs runs this as a hook (``mkdocs.yml``), so that commands, settings, scores and models are
described once, where they are defined. ``python docs/generate.py`` prints the pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOMS = [
    *("io", "optics", "simulation", "data", "models", "losses", "engine", "staining"),
    *("segmentation", "training", "tracking", "metrics", "pipeline"),
    *("axes", "normalisation", "progress", "errors", "hooks"),
]

_LIMITS = {"ge": "at least", "gt": "over", "le": "at most", "lt": "below"}


def pages() -> dict[str, str]:
    """Return each generated page by its path within the manual."""
    found = {
        "reference/command_line.md": command_line(),
        "reference/settings.md": settings(),
        "reference/scores.md": scores(),
        "reference/models.md": models(),
        "reference/api/index.md": _api_index(),
    }
    for room in ROOMS:
        found[f"reference/api/{room}.md"] = f"# {room}\n\n::: napari_virtualstain.{room}\n"
    return found


def _api_index() -> str:
    lines = ["# Python", "", "::: napari_virtualstain", "    options: {members: false}", ""]
    lines += ["| name | page |", "|---|---|"]
    lines += [f"| `napari_virtualstain.{room}` | [{room}]({room}.md) |" for room in ROOMS]
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """Return the page of all commands with their options."""
    from napari_virtualstain.cli.app import app

    group: Any = typer.main.get_command(app)
    lines = ["# Command line", "", "Every command explains itself with `--help`.", ""]
    lines += ["[What a script can rely on](../howto/many_movies.md#in-scripts)", ""]
    for name, command in _commands(group, "virtualstain"):
        lines += [f"## {name}", "", *_command(command)]
    return "\n".join(lines)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _command(command: Any) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", (command.help or "").replace("\b", "").strip()):
        text = " ".join(paragraph.split())
        example = re.match(r"Examples?:\s*(.*)", text)
        yield f"```\n{example[1]}\n```" if example else _escaped(text)
        yield ""
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or "--help" in parameter.opts:
            continue
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
        if parameter.param_type_name == "argument":
            names = f"`{parameter.metavar or parameter.name.upper()}`"
        default = parameter.default
        shown = (
            "" if default is None or callable(default) or default in ((), []) else f"`{default}`"
        )
        yield f"| {names} | {shown} | {_escaped(parameter.help or '')} |"
    yield ""


def settings() -> str:
    """Return the page of every settings class: fields, types, defaults, limits."""
    lines = ["# Settings", ""]
    lines += ["Keywords of the Python functions, keys of settings files (`run --config`) and", ""]
    lines[-2] += " options of the command line have the same names and limits."
    for model in _settings_classes():
        lines += [f"## {model.__name__}", "", _first_line(model), ""]
        lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        lines += [_field(name, field) for name, field in model.model_fields.items()]
        lines.append("")
    return "\n".join(lines)


def _settings_classes() -> list[type[BaseModel]]:
    import importlib

    found: dict[str, type[BaseModel]] = {}
    for name in ("settings", "pipeline", "tracking", "losses", "data", "segmentation", "training"):
        try:
            module = importlib.import_module(f"napari_virtualstain.{name}")
        except ModuleNotFoundError:
            continue
        for public in getattr(module, "__all__", dir(module)):
            thing = getattr(module, public)
            if isinstance(thing, type) and issubclass(thing, BaseModel) and thing is not BaseModel:
                found.setdefault(thing.__name__, thing)
    return list(found.values())


def _field(name: str, field: FieldInfo) -> str:
    kind = re.sub(r"napari_virtualstain\.[\w.]+\.|typing\.|<class '|'>", "", str(field.annotation))
    default = "required" if field.is_required() else f"`{_plain(field.get_default())}`"
    limits = ", ".join(
        f"{word} {getattr(part, attribute)}"
        for part in field.metadata
        for attribute, word in (
            ("ge", "at least"),
            ("gt", "over"),
            ("le", "at most"),
            ("lt", "below"),
        )
        if hasattr(part, attribute)
    )
    meaning = " ".join(filter(None, [field.description, f"({limits})" if limits else ""]))
    return f"| `{name}` | {_escaped(kind)} | {default} | {_escaped(meaning)} |"


def _plain(value: Any) -> str:
    text = "…" if isinstance(value, BaseModel) else str(value)
    return text.replace("|", "/")


def _first_line(thing: type) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0] if thing.__doc__ else ""


def scores() -> str:
    """Return the page of scores, baselines and measures."""
    from napari_virtualstain.metrics import BASELINES, COLUMNS

    lines = ["# Scores", "", "Columns of `vs.evaluate`, `metrics.csv` and the report.", ""]
    lines += ["| score | definition |", "|---|---|"]
    lines += [f"| `{name}` | {_escaped(text)} |" for name, text in COLUMNS.items()]
    lines += ["", "## Baselines", "", "| baseline | what it is |", "|---|---|"]
    lines += [f"| {name} | {_escaped(text)} |" for name, text in BASELINES.items()]
    lines += ["", "[How to read scores](../explanation/believe.md#what-does-a-score-mean)", ""]
    return "\n".join(lines)


def models() -> str:
    """Return the page of the shipped models, from their cards."""
    from napari_virtualstain.models import list_models

    lines = ["# Shipped models", "", "From the cards in the model files; the same text as", ""]
    lines[-2] += " `virtualstain models info NAME`."
    for entry in list_models():
        if entry.source != "shipped" or entry.card is None:
            continue
        card = entry.card
        lines += [f"## {entry.name}", "", _escaped(card.description), ""]
        lines += ["| | |", "|---|---|", f"| kind | {card.kind} |"]
        lines.append(f"| pixel size | {card.pixel_size_um or 'any'} µm |")
        lines.append(f"| licence | {_escaped(card.licence)} |")
        lines.append(f"| file | {entry.path.stat().st_size / 1e6:.1f} MB |")
        lines += ["", *_scores_of(card.scores), ""]
    return "\n".join(lines)


def _scores_of(given: dict[str, Any]) -> Iterator[str]:
    rows = {name: row for name, row in given.items() if isinstance(row, dict)}
    columns = [
        name
        for name in ("pearson", "bandpass_pearson", "ssim", "psnr", "mask_iou", "iou", "f1", "pq")
        if any(_mean(row.get(name)) is not None for row in rows.values())
    ]
    if not columns:
        return
    yield f"| held-out scores | {' | '.join(columns)} |"
    yield f"|---|{'--:|' * len(columns)}"
    for name, row in rows.items():
        means = [_mean(row.get(column)) for column in columns]
        if any(mean is not None for mean in means):
            cells = ["–" if mean is None or mean != mean else f"{mean:.3g}" for mean in means]
            yield f"| {name} | {' | '.join(cells)} |"


def _mean(value: Any) -> float | None:
    if isinstance(value, dict):
        value = value.get("mean")
    return float(value) if isinstance(value, int | float) else None


def _escaped(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;").strip()


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to those of the folder; called by mkdocs."""
    from mkdocs.structure.files import File

    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn $$LaTeX$$ and $LaTeX$ into MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert

    def replaced(found: re.Match[str]) -> str:
        block, inline = found["block"], found["inline"]
        if block is not None:
            return convert(block.strip(), display="block")
        return convert(inline) if inline is not None else found[0]

    # code is matched first, and stays as it is
    return re.sub(
        r"```.*?```|`[^`\n]*`|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+)\$",
        replaced,
        markdown,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    for _path, _content in pages().items():
        print(f"<!-- {_path} -->\n{_content}")
