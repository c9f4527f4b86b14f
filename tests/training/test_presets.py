"""Presets against Table 1 of the paper, typed in again from the page."""

from __future__ import annotations

import subprocess
import sys

import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.models import unet_arguments
from napari_virtualstain.training import (
    TABLE_1,
    TrainingConfig,
    preset,
    preset_names,
    preset_sentence,
)

# A row a hyper-parameter, as printed; "–" means as in A
PRINTED = """
Input channels  | 3    | 1   | –       | –   | –  | –   | –  | –
Batch size      | 1    | –   | 16      | 16  | –  | 16  | –  | –
Dropout         | N.A. | 0.5 | 0.5     | 0.5 | –  | 0.5 | –  | –
Optimizer       | Adam | –   | RMSProp | –   | –  | –   | –  | –
Generator loss  | PSF  | –   | –       | –   | L1 | L1  | TN | Minimax
Activation      | ReLU | –   | Sigmoid | –   | –  | –   | –  | –
"""
FIELDS = ["input_channels", "batch_size", "dropout", "optimizer", "generator_loss", "activation"]


def test_rows_are_those_of_table_1() -> None:
    lines = [line.split("|")[1:] for line in PRINTED.strip().splitlines()]
    for field, cells in zip(FIELDS, lines, strict=True):
        cells = [cell.strip() for cell in cells]
        cells = [cells[0] if cell == "–" else cell for cell in cells]
        found = [str(getattr(method, field)) for method in TABLE_1]
        if field == "dropout":
            cells = ["0.0" if cell == "N.A." else cell for cell in cells]
        assert [cell.lower() for cell in cells] == [value.lower() for value in found]


def test_presets_become_settings() -> None:
    a = preset("A")
    assert a.loss.weighted_l1 > 0
    assert a.loss.weight_map == "psf_deconvolution"
    assert a.loss.has_adversary
    assert (a.optimisation.learning_rate, a.optimisation.beta1) == (2e-4, 0.5)
    assert a.optimisation.discriminator_learning_rate == 2e-5
    network = unet_arguments(a.network_architecture())
    assert (network.kernel, network.widths, network.replicate) == (7, (32, 64, 128, 256), 3)
    assert preset("B").architecture.arguments["dropout"] == 0.5
    assert preset("c").optimisation.optimizer == "rmsprop"
    assert preset("F").loss.l1 == a.loss.weighted_l1
    h = preset("H").loss
    assert (h.l1, h.weighted_l1, h.adversarial) == (0, 0, 1)


def test_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="recommended, A, B, C, D, E, F, G, H"):
        preset("Z")
    assert len(preset_names()) == 9


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_round_trips_and_can_be_changed(name: str) -> None:
    settings = preset(name)
    assert TrainingConfig.model_validate_json(settings.model_dump_json()) == settings
    assert settings.updated(seed=7).seed == 7


def test_every_setting_is_described() -> None:
    def undescribed(model: type) -> list[str]:
        return [name for name, field in model.model_fields.items() if not field.description]

    from napari_virtualstain.data import Augmentation
    from napari_virtualstain.losses import LossConfig
    from napari_virtualstain.training import Optimisation

    for model in (TrainingConfig, Optimisation, LossConfig, Augmentation):
        assert undescribed(model) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"colour": 1}, "colour"),
        ({"steps": 3, "epochs": 2}, "not both"),
        ({"trainable": "head"}, "needs init"),
        ({"loss": {"distillation": 0.01}}, "needs teachers"),
        ({"optimisation": {"learning_rate": -1}}, "learning_rate"),
        ({"name": "a/b"}, "name"),
    ],
)
def test_bad_settings_are_named_in_one_line(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        TrainingConfig().updated(**changes)
    assert "\n" not in str(caught.value)


def test_epochs_become_steps() -> None:
    config = TrainingConfig(epochs=10, batch_size=4)
    assert config.step_count(100) == 250
    assert config.updated(epochs=None, steps=7).step_count(100) == 7


def test_steps_grow_with_the_root_of_the_data_within_limits() -> None:
    config = TrainingConfig(crop_size=100)
    counts = [config.step_count(1, pixels=crops * 100**2) for crops in (4, 100, 400, 10**6)]
    assert counts == [500, 1000, 2000, 3000]
    assert config.updated(init="mito-h9c2").step_count(1, pixels=100**3) == 500


def test_settings_need_no_torch() -> None:
    code = "import sys; from napari_virtualstain.training import preset; preset();"
    command = [sys.executable, "-c", code + "print('torch' in sys.modules)"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("effort", [{"steps": 4}, {"minutes": 2.0}, {"epochs": 3.0}])
def test_every_preset_takes_steps_minutes_or_epochs(name: str, effort: dict[str, float]) -> None:
    config = preset(name).updated(**effort)
    [(field, value)] = effort.items()
    assert getattr(config, field) == value
    if "steps" in effort:
        assert config.step_count(pairs=100) == 4
    if "epochs" in effort:
        assert config.step_count(pairs=100) == round(3 * 100 / config.batch_size)


def test_steps_and_epochs_given_together_are_refused() -> None:
    with pytest.raises(InputError, match="steps or epochs, not both"):
        preset("A").updated(steps=4, epochs=3)


def test_the_default_has_the_psf_weighted_term_and_says_its_weight() -> None:
    loss = preset().loss
    assert loss.weight_map == "psf_deconvolution"
    assert loss.weighted_l1 >= 1
    assert f"PSF-weighted L1 (weight {loss.weighted_l1:g})" in preset_sentence("recommended")


def test_each_sentence_names_what_tells_the_methods_apart() -> None:
    sentences = [preset_sentence(name) for name in preset_names()]
    assert len(set(sentences)) == 9
    assert "PSF-weighted" in preset_sentence("D")
    assert "plain L1" in preset_sentence("E")
    assert "sigmoid" in preset_sentence("C")
