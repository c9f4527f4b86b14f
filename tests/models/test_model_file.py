"""Model files: round trip, and every way in which a file can be bad."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_virtualstain.errors import ModelError, OutputError, OutputExistsError
from napari_virtualstain.models import (
    ModelCard,
    build_network,
    find_model,
    list_models,
    load_model,
    read_card,
    register_architecture,
    registry,
    save_model,
    shipped_folder,
    user_model_folder,
)
from napari_virtualstain.models.model_file import _stored

# the fixture file is only read
BYTES = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TINY = {"name": "unet", "arguments": {"widths": [4, 8], "convolutions": 1}}


@pytest.fixture
def card() -> ModelCard:
    return ModelCard(name="tiny", architecture=TINY, pixel_size_um=0.08, licence="CC0")


@pytest.fixture
def file(tmp_path: Path, card: ModelCard) -> Path:
    torch.manual_seed(1)
    return save_model(tmp_path / "tiny.safetensors", build_network(TINY), card)


def _parts(content: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _joined(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _changed_card(file: Path, **changes: object) -> None:
    header, data = _parts(file.read_bytes())
    card = json.loads(header["__metadata__"]["napari_virtualstain"])
    header["__metadata__"]["napari_virtualstain"] = json.dumps({**card, **changes})
    file.write_bytes(_joined(header, data))


def test_round_trip_keeps_weights_to_half_precision_and_the_card(tmp_path: Path) -> None:
    network = build_network(TINY).eval()
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if "running_var" in name:
                buffer.fill_(1e6)  # beyond float16
    card = ModelCard(name="tiny", architecture=TINY, novelty={"field": "of a later version"})
    model = load_model(save_model(tmp_path / "ä b.safetensors", network, card))
    for name, value in network.state_dict().items():
        loaded = model.network.state_dict()[name]
        assert loaded.dtype == value.dtype
        torch.testing.assert_close(loaded, value, rtol=1e-3, atol=1e-6)
    assert not model.network.training
    assert model.card.model_dump()["novelty"] == {"field": "of a later version"}
    assert model.card.weights_sha256


def test_file_holds_halves_and_its_sha256_is_of_the_file(file: Path) -> None:
    import hashlib

    header, _ = _parts(file.read_bytes())
    kinds = {len(v["shape"]): v["dtype"] for k, v in header.items() if k != "__metadata__"}
    assert kinds == {4: "F16", 1: "F32", 0: "I64"}
    assert load_model(file).sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_saving_loading_and_saving_again_changes_nothing(file: Path, tmp_path: Path) -> None:
    model = load_model(file)
    again = save_model(tmp_path / "again.safetensors", model.network, model.card)
    assert again.read_bytes() == file.read_bytes()


def test_existing_file_is_kept_unless_overwriting_is_asked_for(file: Path, card: ModelCard) -> None:
    before = file.read_bytes()
    with pytest.raises(OutputExistsError):
        save_model(file, build_network(TINY), card)
    assert file.read_bytes() == before
    save_model(file, build_network(TINY), card, overwrite=True)
    assert file.read_bytes() != before


def test_failed_write_leaves_nothing_behind(tmp_path: Path, card: ModelCard) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(OutputError):
        save_model(blocker / "m.safetensors", build_network(TINY), card)
    assert list(tmp_path.iterdir()) == [blocker]


def test_diverged_weights_are_not_saved(tmp_path: Path, card: ModelCard) -> None:
    network = build_network(TINY)
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        save_model(tmp_path / "nan.safetensors", network, card)
    assert not list(tmp_path.iterdir())


def test_pickle_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    for name in ("model.pt", "model.safetensors"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(ModelError):
            load_model(path)
    with pytest.raises(ModelError, match="pickle"):
        load_model(tmp_path / "model.pt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 7,
        b"\xff" * 8,
        (2**40).to_bytes(8, "little") + b"{}",
        (4).to_bytes(8, "little") + b"[[[[",
        (2).to_bytes(8, "little") + b"{}",
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
        b"PK\x03\x04 a zip of BioImage.IO" * 10,
    ],
    ids=["empty", "short", "huge", "longer", "no json", "no card", "nested", "zip"],
)
def test_foreign_files_are_refused_with_advice(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a model of napari-virtualstain"):
        load_model(path)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_of_the_weights_is_noticed(file: Path, position: float, bit: int) -> None:
    content = bytearray(file.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    content[start + int(position * (len(content) - start))] ^= 1 << bit
    damaged = file.with_name("damaged.safetensors")
    damaged.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        load_model(damaged)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(file: Path, share: float) -> None:
    content = file.read_bytes()
    cut = file.with_name("cut.safetensors")
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError):
        load_model(cut)


def test_card_that_asks_for_another_network_is_refused(file: Path) -> None:
    _changed_card(file, architecture={"name": "unet", "arguments": {"widths": [2048] * 8}})
    with pytest.raises(ModelError, match="do not fit the architecture"):
        load_model(file)


def test_card_of_a_later_version_says_update(file: Path) -> None:
    _changed_card(file, schema_version=99)
    with pytest.raises(ModelError, match="Update"):
        load_model(file)


def test_card_with_wrong_fields_names_the_field(file: Path) -> None:
    _changed_card(file, pixel_size_um=-1)
    with pytest.raises(ModelError, match="pixel_size_um"):
        load_model(file)


def test_array_beyond_the_file_is_refused(file: Path) -> None:
    header, data = _parts(file.read_bytes())
    name = next(k for k in header if k != "__metadata__")
    header[name]["shape"] = [10**9, 10**9]
    file.write_bytes(_joined(header, data))
    with pytest.raises(ModelError, match="contradicts its shape"):
        load_model(file)


def test_wrong_kind_is_refused(file: Path) -> None:
    with pytest.raises(ModelError, match="segmenter is needed"):
        load_model(file, kind="segmenter")


def test_models_of_the_users_folder_are_found_by_name(
    tmp_path: Path, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path))
    assert user_model_folder() == tmp_path
    save_model(user_model_folder() / "own.safetensors", build_network(TINY), card)
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    entries = {entry.name: entry for entry in list_models() if entry.source == "user"}
    assert entries["own"].card == read_card("own")
    assert entries["bad"].card is None
    assert "not a model" in entries["bad"].problem
    assert load_model("own").card.name == "tiny"
    assert "own" in {e.name for e in list_models("generator")}
    assert "own" not in {e.name for e in list_models("segmenter")}
    with pytest.raises(ModelError, match=r"no model 'other'.*own"):
        load_model("other")


def test_folder_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="folder"):
        load_model(tmp_path)


def test_prediction_survives_the_file(file: Path) -> None:
    torch.manual_seed(1)
    original = build_network(TINY).eval()
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        difference = load_model(file).network(image) - original(image)
        spread = original(image).std()
    assert float(difference.abs().max()) < 5e-3 * float(spread)
    assert np.isfinite(float(spread))


def test_a_file_in_the_working_folder_does_not_replace_a_shipped_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mito-h9c2").write_bytes(b"something else")
    assert find_model("mito-h9c2") == shipped_folder() / "mito-h9c2.safetensors"
    assert find_model("./mito-h9c2").read_bytes() == b"something else"


@pytest.mark.parametrize("name", ["~nobody-of-that-name/m", "a\0b", "x" * 5000])
def test_impossible_names_of_models(name: str) -> None:
    with pytest.raises(ModelError):
        find_model(name)


@pytest.mark.parametrize(("largest", "kind"), [(65_000, torch.float16), (65_050, torch.float32)])
def test_weights_too_large_for_half_precision_are_stored_in_full(
    largest: float, kind: torch.dtype
) -> None:
    assert _stored("weight", torch.tensor([[1.0, -largest]])).dtype == kind


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda header: [header], "not a JSON object"),
        (lambda header: {"__metadata__": {}}, "no card"),
        (lambda header: header | {"more": {"shape": [1], "dtype": "F32"}}, "described wrongly"),
        (lambda header: header | {"more": _span(0, 4, "C64")}, "described wrongly"),
        (lambda header: header | {"more": _span(0, 5)}, "contradicts its shape"),
        (lambda header: header | {"more": _span(2, 6)}, "overlap or leave gaps"),
        (lambda header: header | {"more": _span(10**6, 10**6 + 4)}, "overlap or leave gaps"),
    ],
)
def test_headers_that_describe_no_file_are_refused(file: Path, change, said: str) -> None:
    header, data = _parts(file.read_bytes())
    file.write_bytes(_joined(change(header), data))
    with pytest.raises(ModelError, match=said):
        read_card(file)


def _span(begin: int, end: int, dtype: str = "F32") -> dict:
    return {"shape": [1], "dtype": dtype, "data_offsets": [begin, end]}


def test_weights_that_are_announced_but_not_there_are_refused(file: Path) -> None:
    content = file.read_bytes()
    for changed in (content[:-2], content + b"12"):
        file.write_bytes(changed)
        with pytest.raises(ModelError, match=r"bytes of weights are announced"):
            read_card(file)


def test_a_model_is_written_with_its_ending_only(tmp_path: Path, card: ModelCard) -> None:
    with pytest.raises(ModelError, match=r"ends in .safetensors, but 'tiny.pt' was given"):
        save_model(tmp_path / "tiny.pt", build_network(TINY), card)


def test_a_path_that_is_not_there_is_no_model_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", "folder/none.safetensors"):
        with pytest.raises(ModelError, match="There is no model file"):
            find_model(path)
    for path in ("none", "no folder/none"):
        with pytest.raises(ModelError, match="There is no model '"):
            find_model(path)


def test_without_the_usual_model_the_first_of_its_kind_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = [SimpleNamespace(name=name) for name in ("aaa", "mito-h9c2", "zzz")]
    for there, name in ((entries, "mito-h9c2"), ([entries[2], entries[0]], "zzz")):
        monkeypatch.setattr(registry, "list_models", lambda _kind, there=there: there)
        assert registry.default_model() == name
    monkeypatch.setattr(registry, "list_models", lambda _kind: [])
    with pytest.raises(ModelError, match="No generator is installed"):
        registry.default_model()


def test_built_in_architectures_keep_their_names() -> None:
    with pytest.raises(ModelError, match="'unet' is built in"):
        register_architecture("unet", build_network)
    with pytest.raises(ModelError, match="does not describe an architecture"):
        build_network({"name": []})
