"""A model's card as lines for a person: what it is for and how good it is first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..models import ModelCard

_FIRST = ("description", "licence", "pixel_size_um", "inputs", "outputs", "scores", "split", "data")
_ONLY_FOR_PROGRAMS = {"name", "kind", "schema_version", "statistics"}
_SUMMARY = ("mean", "low", "high")
_NONE = dict.fromkeys(_SUMMARY)
_MOST_ITEMS = 12
_LETTERS_OF_A_NAME = 40  # a list of longer texts, such as warnings, has a line for each


def card_lines(card: ModelCard) -> list[str]:
    """Return the card without what only programs read: settings, statistics of the images.

    Examples
    --------
    >>> from ..models import ModelCard
    >>> summary = {"mean": 0.64, "low": 0.61, "high": 0.67, "median": 0.66}
    >>> card = ModelCard(name="mine", scores={"virtual stain": {"pearson": summary}})
    >>> for line in card_lines(card)[5:8]:
    ...     print(line)
    scores: mean of the judged cells (95 % interval)
               virtual stain
      pearson  0.640 (0.610 to 0.670)
    """
    fields = card.model_dump(mode="json", exclude=_ONLY_FOR_PROGRAMS)
    fields["training"].pop("settings", None)
    lines: list[str] = []
    for name in dict.fromkeys((*_FIRST, *fields)):
        value = fields[name]
        is_table = name == "scores" and value
        lines += _score_lines(value) if is_table else _lines(name.replace("_", " "), value, "")
    return lines


def _lines(name: str, value: Any, indent: str) -> list[str]:
    """Return a field and what is in it, nothing for an empty one."""
    if value in (None, "", {}, []):
        return []
    if _is_summary(value):
        value = _summary(value)
    if isinstance(value, dict):
        inner = [line for key, part in value.items() for line in _lines(key, part, indent + "  ")]
        return [f"{indent}{name}:", *inner]
    if isinstance(value, list):
        items = [str(item) for item in value]
        more = f" … ({len(items)} in all)" if len(items) > _MOST_ITEMS else ""
        if not more and max(map(len, items)) > _LETTERS_OF_A_NAME:
            return [f"{indent}{name}:", *(f"{indent}  - {item}" for item in items)]
        value = ", ".join(items[:_MOST_ITEMS]) + more
    return [
        f"{indent}{name}: {value:.4g}" if isinstance(value, float) else f"{indent}{name}: {value}"
    ]


def _score_lines(scores: dict[str, Any]) -> list[str]:
    """Return a table of the scores of the model and of its baselines, and what is said of them."""
    fields = dict(scores)
    if isinstance(fields.get("before"), dict):
        fields |= fields.pop("before")
    methods = {name: values for name, values in fields.items() if _is_method(values)}
    if not methods:
        return _lines("scores", fields, "")
    rest = {name: value for name, value in fields.items() if name not in methods}
    said = [line for name, value in rest.items() for line in _lines(name, value, "  ")]
    return ["scores: mean of the judged cells (95 % interval)", *_table(methods), *said]


def _table(methods: dict[str, dict[str, Any]]) -> list[str]:
    """Return a row per score and a column per method, the interval in the first one."""
    names = list(next(iter(methods.values())))
    rows = [["", *methods]]
    for name in names:
        first, *others = (values.get(name, _NONE) for values in methods.values())
        rows.append([name, _summary(first), *(_number(other["mean"]) for other in others)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _is_method(values: Any) -> bool:
    return isinstance(values, dict) and bool(values) and all(map(_is_summary, values.values()))


def _is_summary(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() >= set(_SUMMARY):
        return False
    # a card of another program may hold anything
    return all(value[key] is None or isinstance(value[key], int | float) for key in _SUMMARY)


def _summary(value: dict[str, Any]) -> str:
    mean, low, high = (_number(value[key]) for key in _SUMMARY)
    return mean if value["mean"] is None else f"{mean} ({low} to {high})"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:#.3g}"
