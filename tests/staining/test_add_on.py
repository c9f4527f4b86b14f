from __future__ import annotations

import pickle

import numpy as np
import pytest

import napari_virtualstain as vs
from napari_virtualstain.errors import InputError, ModelError
from napari_virtualstain.hooks import EXTENSIONS, hook_implementation
from napari_virtualstain.staining import is_add_on
from napari_virtualstain.staining.add_on import AddOnStainer


class _Plugin:
    @staticmethod
    @hook_implementation
    def virtualstain_generators():
        return {
            "double": lambda: lambda image, *, pixel_size_um=None: 2 * image,
            "crop": lambda: lambda image, *, pixel_size_um=None: image[1:],
            "broken": lambda: lambda image, *, pixel_size_um=None: 1 / 0,
            "mito-h9c2": lambda: lambda image, *, pixel_size_um=None: image,
        }


@pytest.fixture(autouse=True)
def plugin():
    EXTENSIONS.register(_Plugin, "test-add-on")
    yield
    EXTENSIONS.unregister("test-add-on")


def test_a_generator_of_another_package_stains_by_its_name() -> None:
    movie = np.arange(2 * 20 * 30, dtype=np.uint16).reshape(2, 20, 30)
    assert is_add_on("double")
    np.testing.assert_array_equal(vs.stain(movie, "double"), 2.0 * movie)
    with pytest.raises(InputError, match="predicts no uncertainty"):
        vs.stain(movie, "double", uncertainty=True)


def test_a_shipped_name_always_means_the_shipped_model() -> None:
    assert not is_add_on("mito-h9c2")
    assert is_add_on("addon:mito-h9c2")
    assert not is_add_on("addon:nobody")
    assert not is_add_on(None)


@pytest.mark.parametrize(("name", "words"), [("crop", r"shape \(19, 30\)"), ("broken", "failed")])
def test_an_add_on_that_misbehaves_is_named(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=f"{name}.*{words}"):
        vs.stain(np.zeros((20, 30)), name)


def test_an_add_on_travels_by_its_name() -> None:
    stainer = pickle.loads(pickle.dumps(AddOnStainer("double", 0.1)))
    assert stainer.note == "add-on double pixel 0.1"
