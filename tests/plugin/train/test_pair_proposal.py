"""Proposal of bright-field and fluorescence, by what layers say and by what they look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_virtualstain.plugin.train import pair_proposal
from napari_virtualstain.plugin.train.pair_proposal import propose_pair, skewness_of


def _named(layers: tuple[Any, Any]) -> list[str | None]:
    return [None if layer is None else layer.name for layer in layers]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Return the skewness of layers by name, to be filled in."""
    known: dict[str, float] = {}
    monkeypatch.setattr(pair_proposal, "skewness_of", lambda layer: known[layer.name])
    return known


def _add(viewer: Any, *names: str, shape: tuple[int, int] = (16, 16), **more: Any) -> None:
    for name in names:
        viewer.add_image(np.zeros(shape), name=name, **more)


@pytest.mark.parametrize(
    ("skewness", "proposed"), [(0.9, ["first", None]), (1.1, ["first", "second"])]
)
def test_of_two_unnamed_layers_the_skewed_one_glows(
    viewer_model: Any, looks: dict[str, float], skewness: float, proposed: list[str | None]
) -> None:
    _add(viewer_model, "first", "second")
    viewer_model.layers.selection.clear()
    looks.update(first=0.2, second=skewness)
    assert _named(propose_pair(viewer_model)) == proposed


@pytest.mark.parametrize(("skewness", "proposed"), [(0.9, ["only", None]), (1.1, [None, "only"])])
def test_a_single_skewed_layer_is_no_bright_field(
    viewer_model: Any, looks: dict[str, float], skewness: float, proposed: list[str | None]
) -> None:
    _add(viewer_model, "only")
    looks["only"] = skewness
    assert _named(propose_pair(viewer_model)) == proposed


def test_a_layer_that_says_that_it_is_bright_field_is_one_however_it_looks(
    viewer_model: Any, looks: dict[str, float]
) -> None:
    _add(viewer_model, "dusty bright-field")
    looks["dusty bright-field"] = 9.0
    assert _named(propose_pair(viewer_model)) == ["dusty bright-field", None]


def test_a_layer_that_says_that_it_glows_is_no_bright_field(
    viewer_model: Any, looks: dict[str, float]
) -> None:
    _add(viewer_model, "cell mCherry")
    looks["cell mCherry"] = 0.0
    assert _named(propose_pair(viewer_model)) == [None, "cell mCherry"]


def test_looks_are_asked_only_of_layers_that_say_nothing(
    viewer_model: Any, looks: dict[str, float]
) -> None:
    _add(viewer_model, "cell bright-field", "dots")
    looks.update({"cell bright-field": 9.0, "dots": 1.1})
    assert _named(propose_pair(viewer_model)) == ["cell bright-field", "dots"]
    looks["dots"] = 0.0
    assert _named(propose_pair(viewer_model))[1] is None


def test_a_green_layer_glows_and_of_two_the_one_of_equal_size_is_taken(viewer_model: Any) -> None:
    _add(viewer_model, "field 1", "other")
    _add(viewer_model, "field 1 a", colormap="green", shape=(8, 8))
    _add(viewer_model, "zzz", colormap="magenta")
    viewer_model.layers.selection.active = viewer_model.layers["field 1"]
    assert _named(propose_pair(viewer_model)) == ["field 1", "zzz"]


def test_of_equal_size_the_name_that_begins_alike_then_the_nearest_is_taken(
    viewer_model: Any,
) -> None:
    _add(viewer_model, "b gfp", "a gfp", "a bright-field", "c gfp")
    assert _named(propose_pair(viewer_model)) == ["a bright-field", "a gfp"]
    viewer_model.layers.remove("a gfp")
    viewer_model.layers.move(0, 2)
    _add(viewer_model, "d gfp")
    # now: a bright-field, b gfp, c gfp, d gfp
    assert _named(propose_pair(viewer_model)) == ["a bright-field", "b gfp"]


def test_layers_in_use_are_left_out(viewer_model: Any) -> None:
    _add(viewer_model, "a bright-field", "a gfp", "b gfp")
    used = [viewer_model.layers["a gfp"]]
    assert _named(propose_pair(viewer_model, used)) == ["a bright-field", "b gfp"]


@pytest.mark.parametrize(("size", "first", "last"), [(600, 44, 555), (300, 0, 299)])
def test_the_middle_512_pixels_are_looked_at(
    viewer_model: Any, monkeypatch: pytest.MonkeyPatch, size: int, first: int, last: int
) -> None:
    def corners(plane: np.ndarray) -> float:
        return float(plane[0, 0] + 1e7 * plane[-1, -1])

    monkeypatch.setattr("napari_virtualstain.data.fine_skewness", corners)
    image = np.arange(size) + 1000.0 * np.arange(size)[:, None]
    assert skewness_of(viewer_model.add_image(image)) == 1001 * (first + 1e7 * last)
