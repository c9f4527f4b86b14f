"""Fields of settings: title, unit, limits, choices and description, for every front end."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import InputError

Place: TypeAlias = Literal["form", "advanced", ""]
_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class Display:
    """Number of a setting as forms show it, where that is not its plain value.

    Attributes
    ----------
    unit : str
        Unit of the shown number, such as nm of a value in µm.
    factor : float
        Shown number of a value of 1.
    decimals : int or None
        Of the shown number; None: as the step of the arrows needs.
    lowest : str
        Text in place of the lowest number.
    """

    unit: str = ""
    factor: float = 1.0
    decimals: int | None = None
    lowest: str = ""


def setting(
    default: Any,
    title: str,
    description: str,
    *,
    unit: str = "",
    none: str = "",
    choices: dict[str, str] | None = None,
    place: Place = "advanced",
    step: float = 1,
    display: Display | None = None,
    **limits: Any,
) -> Any:
    """Return a field with what front ends show of it; see :class:`SettingField`."""
    shown: dict[str, Any] = {
        "unit": unit,
        "none": none,
        "choices": choices or {},
        "place": place,
        "step": step,
        "display": asdict(display or Display(unit)),
    }
    return Field(
        default=default, title=title, description=description, json_schema_extra=shown, **limits
    )


class Settings(BaseModel):
    """Base of the settings of all steps: frozen, and strict about names."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,  # no program needs the validators of all classes: 100 ms at import
    )

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Build the validators, those of settings within first: else they are built twice."""
        for info in cls.model_fields.values():
            within = info.annotation
            if isinstance(within, type) and issubclass(within, Settings):
                within.model_rebuild()
        return super().model_rebuild(**options)


Chosen = TypeVar("Chosen", bound=Settings)


@dataclass(frozen=True, slots=True)
class SettingField:
    """Description of a setting for front ends: label, unit, range, choices.

    Attributes
    ----------
    name : str
        Of the field, the keyword and the command's option.
    title, description, unit : str
        For people; the unit is empty for pure numbers.
    default : object
        Value where nothing is chosen.
    kind : type
        bool, int, float or str; of an optional field, that of its values, and str where a
        number or a text can be given.
    none : str
        Meaning of None, or of the word `word`; empty where neither is a value.
    word : str or None
        Word that a field of numbers takes as well, None where it takes None.
    minimum, maximum : float or None
        Limits of a number; an exclusive limit is given as such by `is_open`.
    is_open : bool
        Whether `minimum` itself is not allowed.
    choices : dict
        Each value with its label; empty for free values.
    place : {"form", "advanced", ""}
        Where docks show it: at once, folded away, or nowhere, because they ask otherwise.
    step : float
        Of the arrows beside a number.
    display : Display
        How forms show a number.
    """

    name: str
    title: str
    description: str
    unit: str
    default: Any
    kind: type
    none: str = ""
    word: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    is_open: bool = False
    choices: dict[str, str] = field(default_factory=dict)
    place: Place = "advanced"
    step: float = 1
    display: Display = Display()

    @property
    def label(self) -> str:
        """Title with the unit, for a form."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def help(self) -> str:
        """Description with unit and default, for ``--help``."""
        text = self.description
        if self.unit:
            text = f"{text[:-1]}, in {self.unit}."
        default = self.none if self.default is None else str(self.default)
        if isinstance(self.default, bool):
            default = "on" if self.default else "off"
        return f"{text[:-1]} [{default}]." if default else text

    @property
    def widget(self) -> dict[str, Any]:
        """Options of the magicgui widget for this setting: ``create_widget(options=...)``."""
        options: dict[str, Any] = {"label": self.title, "tooltip": self.description}
        if self.kind is bool and self.none:
            tristate = [(self.none, None), ("yes", True), ("no", False)]
            return options | {"widget_type": "ComboBox", "choices": tristate}
        if self.kind is bool:
            options.pop("label")
            return options | {"widget_type": "CheckBox", "text": self.title}
        if self.choices:
            choices = [(text, value) for value, text in self.choices.items()]
            return options | {"widget_type": "ComboBox", "choices": choices}
        if self.kind is str:
            return options | {"widget_type": "LineEdit"}
        is_slider = self.minimum is not None and self.maximum == 1
        lowest, factor = self.value_of_none, self.display.factor
        if lowest is None:
            lowest = self.minimum or 0.0
        return options | {
            "widget_type": "FloatSlider" if is_slider else "FloatSpinBox",
            "min": factor * lowest,
            "max": factor * (_LARGEST if self.maximum is None else self.maximum),
            "step": factor * self.step,
        }

    @property
    def value_of_none(self) -> float | None:
        """Number that means None or `word` in a form, below all others; None without either."""
        if not self.none or self.kind not in (int, float):
            return None
        lowest = self.minimum or 0.0
        return lowest if self.is_open else lowest - self.step


def fields_of(settings: type[Settings]) -> dict[str, SettingField]:
    """Return what front ends show of each field of a settings class, in order.

    Examples
    --------
    >>> from napari_virtualstain.settings import SegmentSettings
    >>> field = fields_of(SegmentSettings)["min_area_um2"]
    >>> field.label, field.minimum, field.help
    ('Smallest (µm²)', 0.0, 'Objects below this area are removed, in µm² [0.05].')
    """
    return {name: _field(name, info) for name, info in settings.model_fields.items()}


def _field(name: str, info: Any) -> SettingField:
    shown = info.json_schema_extra or {}
    kinds = _alternatives(info.annotation)
    literals = [value for kind in kinds for value in get_args(kind)]
    choices = shown.get("choices") or {value: value for value in literals if len(kinds) == 1}
    plain = [kind for kind in kinds if isinstance(kind, type)]
    at_least, above = _limit(info, "ge"), _limit(info, "gt")
    at_most, below = _limit(info, "le"), _limit(info, "lt")
    return SettingField(
        name=name,
        title=info.title or name,
        description=info.description or "",
        unit=shown.get("unit", ""),
        default=info.get_default(call_default_factory=True),
        kind=str if str in plain or not plain else plain[0],
        none=shown.get("none", ""),
        word=literals[0] if literals and len(kinds) > 1 else None,
        minimum=above if at_least is None else at_least,
        maximum=below if at_most is None else at_most,
        is_open=above is not None,
        choices=choices,
        place=shown.get("place", ""),
        step=shown.get("step", 1),
        display=Display(**shown.get("display", {})),
    )


def _limit(info: Any, name: str) -> float | None:
    found = (getattr(limit, name) for limit in info.metadata if hasattr(limit, name))
    return next((float(value) for value in found), None)


def _alternatives(annotation: Any) -> list[Any]:
    """Return the types that a field may have, without None."""
    if get_origin(annotation) in (Union, UnionType):
        return [kind for kind in get_args(annotation) if kind is not NoneType]
    return [annotation]


def checked_settings(settings: type[Chosen], **given: Any) -> Chosen:
    """Return settings, or a plain error about what cannot be.

    Raises
    ------
    InputError
        A setting is unknown or impossible.

    Examples
    --------
    >>> from napari_virtualstain.settings import TrackSettings
    >>> checked_settings(TrackSettings, max_gap=2).max_gap
    2
    """
    try:
        return settings(**given)
    except ValidationError as error:
        raise InputError(f"These settings cannot be used: {reasons(error)}") from error


def settings_beside(config: Chosen, **given: Any) -> Chosen:
    """Return `config`, after checking that no keyword beside it says otherwise.

    A keyword at its default counts as not given.

    Raises
    ------
    InputError
        One does.

    Examples
    --------
    >>> from napari_virtualstain.settings import TrackSettings
    >>> settings_beside(TrackSettings(max_gap=9), max_gap=3).max_gap
    9
    """
    known = fields_of(type(config))
    for name, value in given.items():
        if value not in (known[name].default, getattr(config, name)):
            raise InputError(
                f"{name}={value!r} was given beside config, which says {name}="
                f"{getattr(config, name)!r}: expected one of the two. Set it in config."
            )
    return config


def reasons(error: ValidationError) -> str:
    """Return what is wrong with each setting, and what was given."""
    found = []
    for problem in error.errors():
        where = ".".join(map(str, problem["loc"])) or "the file"
        message = problem["msg"][0].lower() + problem["msg"][1:]
        if problem["type"] == "extra_forbidden":
            found.append(f"{where} is no setting")
        else:
            found.append(f"{where} = {problem['input']!r}: {message}")
    return "; ".join(found) + "."
