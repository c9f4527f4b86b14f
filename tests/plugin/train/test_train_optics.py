"""The optics panel and what pairs of layers are made of, on both sides of each decision."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.layers.description import provenance
from napari_virtualstain.plugin.train.drawn_regions import DrawnRegion, read_regions
from napari_virtualstain.plugin.train.optics_panel import OpticsPanel, foreground_ratio
from napari_virtualstain.plugin.train.pair_proposal import propose_pair, stated_sign
from napari_virtualstain.plugin.train.sources import (
    PairSource,
    paired_frames,
    pairing_text,
    why_no_movie,
    why_no_pair,
)

PIXEL_UM = 0.08


@pytest.fixture
def glow(viewer_model: Any) -> Any:
    """Return fluorescence of a bright square in each of three frames."""
    image = np.zeros((3, 40, 40), np.float32)
    for frame in range(3):
        image[frame, 10:20, 10 + frame : 20 + frame] = 100 * (frame + 1)
    scale = {"scale": (2.0, PIXEL_UM, PIXEL_UM), "axis_labels": ("t", "y", "x")}
    return viewer_model.add_image(image, name="GFP", **scale)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def panel(qtbot: Any, viewer_model: Any, glow: Any, said: list[str]) -> OpticsPanel:
    made = OpticsPanel(
        viewer_model,
        lambda: glow if glow in viewer_model.layers else None,
        lambda: PIXEL_UM,
        said.append,
    )
    qtbot.addWidget(made)
    return made


@pytest.mark.parametrize("na", [1.4, 0.8, 0.5])
def test_the_kernel_is_as_wide_as_the_diffraction_of_the_objective(
    panel: OpticsPanel, na: float
) -> None:
    panel.na.setValue(na)
    assert panel.kernel_note.text() == ""  # nobody looks at it yet
    panel.open(True)
    width_nm = float(panel.kernel_note.text().split("maximum ")[1].split(" nm")[0])
    assert width_nm == pytest.approx(0.51 * 608 / na, rel=0.12)
    pixels = float(panel.kernel_note.text().split(", ")[1].split(" px")[0])
    assert pixels == pytest.approx(width_nm / 80, abs=0.06)
    assert panel.kernel_picture.pixmap().width() == panel.kernel_picture.pixmap().height()


def test_optics_that_cannot_be_leave_no_kernel(panel: OpticsPanel) -> None:
    panel.open(True)
    assert panel.why_not() is None
    assert not panel.kernel_picture.pixmap().isNull()
    panel.na.setValue(1.6)
    reason = panel.why_not()
    assert reason is not None
    assert panel.kernel_note.text() == reason
    assert panel.kernel_picture.pixmap().isNull()
    panel.show_map()
    assert len(panel._viewer.layers) == 1
    panel.na.setValue(1.4)
    assert panel.why_not() is None
    assert "full width" in panel.kernel_note.text()


def test_the_map_is_that_of_the_visible_frame_and_replaces_the_one_before(
    panel: OpticsPanel, viewer_model: Any, glow: Any, said: list[str]
) -> None:
    panel.kind.value = "binary"
    assert panel.ratio_note.isHidden()
    for frame in (0, 2):
        viewer_model.dims.set_point(0, 2.0 * frame)
        panel.show_button.click()
        [made] = [layer for layer in viewer_model.layers if "binary" in layer.name]
        bright = glow.data[frame] > 0
        assert made.data[bright].min() > made.data[~bright].max()
        np.testing.assert_allclose(made.scale, (PIXEL_UM, PIXEL_UM))
        assert made.contrast_limits == [0.0, pytest.approx(float(made.data.max()))]
    assert not panel.ratio_note.isHidden()
    panel.kind.value = None  # as the method: named after what it is
    panel.show_button.click()
    assert panel.ratio_note.text().startswith("PSF deconvolution: ")
    assert len(viewer_model.layers) == 3
    viewer_model.layers.remove(glow)
    panel.show_button.click()
    assert said == ["Choose the true fluorescence first; the map is made of it."]


def test_a_map_without_any_weight_can_be_shown(
    panel: OpticsPanel, viewer_model: Any, glow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "map_of", lambda plane, _kind: np.zeros(plane.shape))
    panel.show_button.click()
    low, high = viewer_model.layers[-1].contrast_limits
    assert low < high
    assert panel.ratio_note.text().endswith("the background has no weight.")


def _card(**optics: float) -> Any:
    return SimpleNamespace(name="mine", optics=optics)


def test_optics_are_of_the_file_then_of_the_start_then_of_the_user(panel: OpticsPanel) -> None:
    silent = Image(np.zeros((4, 4)))
    record = {"virtualstain": {"optics": {"numerical_aperture": 1.2, "wavelength_um": 0.0}}}
    stating = Image(np.zeros((4, 4)), metadata=record)
    panel.fill(silent, None)
    assert "enter those of your objective" in panel.origin.text()
    panel.fill(silent, _card(numerical_aperture=0.9, wavelength_um=0.5))
    assert (panel.na.value(), panel.wavelength.value()) == (0.9, 500)
    assert panel.origin.text().endswith("those of mine are shown.")
    panel.fill(stating, _card(numerical_aperture=0.9, wavelength_um=0.52))
    assert (panel.na.value(), panel.wavelength.value()) == (1.2, 520)
    assert panel.origin.text() == "From the file: NA; from mine: emission."
    panel.fill(stating, None)
    assert panel.origin.text() == "From the file: NA."
    panel.fill(stating, _card(numerical_aperture=0.9, depth_um=0.0))
    assert panel.origin.text() == "From the file: NA."
    panel.wavelength.setValue(600)
    panel.fill(stating, _card(wavelength_um=0.7, immersion_index=1.4))
    assert (panel.wavelength.value(), panel.immersion.value()) == (600, 1.4)
    panel.fill(silent, _card(wavelength_um=0.7))
    assert panel.wavelength.value() == 700  # of another layer it is asked anew
    panel.fill(silent, _card(wavelength_um=0.5, immersion_index=0.0))
    assert (panel.wavelength.value(), panel.immersion.value()) == (500, 1.4)


def test_weights_are_means_over_bright_and_dark_pixels_of_any_range() -> None:
    plane = np.zeros((4, 8))
    plane[:, :4] = 0.01
    weights = np.zeros((4, 8))
    weights[:, 0], weights[:, 4] = 1.0, 0.2
    assert foreground_ratio(weights, plane) == pytest.approx((0.25, 0.05, 5.0))


def _layer(frames: int, interval_s: float, name: str = "bf", **more: Any) -> Any:
    where = {"scale": (interval_s, 1, 1), "axis_labels": ("t", "y", "x")}
    return Image(np.zeros((frames, 8, 8)), name=name, **where, **more)


def test_frames_that_run_backwards_in_time_are_paired_too() -> None:
    assert paired_frames(_layer(9, -2.0), _layer(3, -6.0)) == (0, 3, 6)


@pytest.mark.parametrize(
    ("shape", "axes"), [((9, 8, 8), ("z", "y", "x")), ((1, 3, 8, 8), ("t", "z", "y", "x"))]
)
def test_layers_of_other_axes_are_no_pair(shape: tuple[int, ...], axes: Any) -> None:
    other = Image(np.zeros(shape), axis_labels=axes)
    with pytest.raises(InputError, match="unlike shapes"):
        paired_frames(_layer(3, 2.0), other)
    with pytest.raises(InputError, match="unlike shapes"):
        paired_frames(Image(np.zeros((9, 8, 8)), axis_labels=("z", "y", "x")), _layer(3, 2.0))


@pytest.mark.parametrize("step", ["stain", "preview", "train"])
def test_what_a_model_has_made_trains_no_model(step: str) -> None:
    made = _layer(3, 2.0, name="made", metadata=provenance(step, "bf"))
    real = _layer(3, 2.0, metadata=provenance("load", "bf"))
    assert "'made' was made by a model" in str(why_no_pair(real, made))
    assert "'made' was made by a model" in str(why_no_pair(made, real))
    assert why_no_pair(real, _layer(3, 2.0)) is None
    assert why_no_movie(real) is None
    assert "'made' was made by a model" in str(why_no_movie(made))
    assert "Choose the bright-field movie" in str(why_no_movie(None))
    assert str(why_no_pair(real, None)).startswith("Two layers are needed")
    assert str(why_no_pair(None, real)).startswith("Two layers are needed")


def test_regions_on_their_frames_and_unusable_ones_are_counted_as_what_they_are() -> None:
    images = np.zeros((8, 80, 80))
    own = DrawnRegion(1, (0, 0, 40, 40), frame=3), DrawnRegion(2, (0, 40, 40, 80), frame=5)
    text = pairing_text([PairSource("cell", images, images, "tyx", regions=own)], "region 2")
    assert text == "2 regions on their frames = 2 pairs, region 2 held out"
    small = DrawnRegion(1, (0, 0, 9, 9), problem="Region 1 is too small.")
    source = PairSource("cell", images, images, "tyx", regions=(small,))
    assert "smallest region" not in pairing_text([source], "", crop_size=32)
    wide = PairSource("dish", images, images, "tyx", regions=(DrawnRegion(2, (0, 0, 24, 70)),))
    said = pairing_text([source, wide], "pair 'dish'", crop_size=32).splitlines()
    assert said[1] == "dish: 1 region x 8 frames = 8 pairs, pair 'dish' held out"
    assert said[2] == "The smallest region is 24 px: crops are no larger than that."


def test_a_region_holds_for_the_frame_it_is_drawn_on_if_there_is_one() -> None:
    image = Image(np.zeros((5, 60, 80)), scale=(2, 1, 1), axis_labels=("t", "y", "x"))
    corners = np.array([[0, 0], [0, 40], [40, 40], [40, 0]], float)
    for frame, expected in ((-3, 0), (0, 0), (1.6, 2), (4, 4), (9, 4)):
        shapes = Shapes(ndim=3, scale=(2, 1, 1))
        shapes.add([np.insert(corners, 0, frame, axis=1)])
        [region] = read_regions(image, shapes, each_frame=True)
        assert region.frame == expected
        assert read_regions(image, shapes)[0].frame is None
    flat = Shapes([corners], shape_type="rectangle")
    assert read_regions(image, flat, each_frame=True)[0].frame is None  # shown on all frames
    stack = Image(np.zeros((5, 60, 80)), axis_labels=("z", "y", "x"))
    deep = Shapes([np.insert(corners, 0, 2, axis=1)])
    assert read_regions(stack, deep, each_frame=True)[0].frame is None


def _named(layers: tuple[Any, Any]) -> list[str | None]:
    return [None if layer is None else layer.name for layer in layers]


def test_a_layer_that_glows_is_no_bright_field_even_where_it_is_chosen(
    viewer_model: Any,
) -> None:
    viewer_model.add_image(np.zeros((16, 16)), name="a")
    viewer_model.add_image(np.zeros((16, 16)), name="b", colormap="green")
    assert viewer_model.layers.selection.active.name == "b"
    assert _named(propose_pair(viewer_model)) == ["a", "b"]
    both = list(viewer_model.layers)
    assert _named(propose_pair(viewer_model, both)) == [None, None]
    assert _named(propose_pair(viewer_model, both[:1])) == [None, "b"]


@pytest.mark.parametrize(
    ("name", "more", "sign"),
    [
        ("cell", {}, 0),
        ("cell bright-field", {}, -1),
        ("cell fluorescence", {}, 1),
        ("cell bright-field", {"colormap": "green"}, -1),
        ("cell", {"colormap": "magenta"}, 1),
        ("mitotracker", {}, 1),
        ("cell 561", {}, 1),
        ("cell fluorescence", {"metadata": {"virtualstain": {"role": "bright_field"}}}, -1),
        ("cell", {"metadata": {"virtualstain": {"role": "fluorescence"}}}, 1),
    ],
)
def test_what_a_layer_says_of_itself(name: str, more: dict[str, Any], sign: int) -> None:
    assert stated_sign(Image(np.zeros((4, 4)), name=name, **more)) == sign


def test_stains_are_never_proposed_for_training(viewer_model: Any) -> None:
    for step in ("stain", "preview", "train"):
        record = provenance(step, "a")
        viewer_model.add_image(np.zeros((16, 16)), name=step, colormap="green", metadata=record)
    assert _named(propose_pair(viewer_model)) == [None, None]
