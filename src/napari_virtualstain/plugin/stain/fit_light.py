"""Green, amber or red: whether a model fits a movie, in shape, colour and words."""

from __future__ import annotations

from html import escape

# Okabe and Ito's colours, told apart by every eye and visible on light and dark; the
# shapes say the same without any colour
_LIGHTS = {
    "green": ("●", "#009E73", "The model fits this movie."),
    "amber": ("▲", "#E69F00", "The model may not fit this movie."),
    "red": ("■", "#D55E00", "The model does not fit this movie."),
}


def checking_text() -> str:
    """Return the text while the check is under way."""
    return "○ Checking whether the model fits…"


_ENDS = {
    "green": ": the model fits.",
    "amber": ". The model may not fit this movie: see above.",
    "red": ". The model does not fit this movie: see above.",
}


def fit_end(level: str | None) -> str:
    """Return the end of a sentence on a stain.

    Examples
    --------
    >>> "Stained 2 frames in 3 s" + fit_end("green")
    'Stained 2 frames in 3 s: the model fits.'
    """
    return _ENDS.get(level or "", ".")


def fit_text(level: str, reasons: tuple[str, ...]) -> str:
    """Return the light as rich text with its reasons.

    Examples
    --------
    >>> "may not fit" in fit_text("amber", ("The pixel size is not known.",))
    True
    """
    shape, colour, words = _LIGHTS[level]
    return f'<span style="color:{colour}">{shape}</span> ' + escape(" ".join([words, *reasons]))
