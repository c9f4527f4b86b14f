"""Other packages add generators, segmenters and trackers, and cannot break ours."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.hooks import ENTRY_POINT_GROUP, Extensions, hook_implementation

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "virtualstain-example-plugin"


def _plugin(**offers):
    """Return a class that implements the named hooks with constant answers."""

    def implementation(name, answer):
        def hook():
            if isinstance(answer, Exception):
                raise answer
            return answer

        hook.__name__ = f"virtualstain_{name}"
        return staticmethod(hook_implementation(hook))

    return type(
        "Plugin",
        (),
        {f"virtualstain_{name}": implementation(name, answer) for name, answer in offers.items()},
    )


def test_a_plugin_registered_in_the_process_is_listed_until_it_leaves() -> None:
    extensions = Extensions(discover=False)
    factory = lambda: lambda image, *, pixel_size_um=None: -image  # noqa: E731
    extensions.register(_plugin(generators={"negative": factory}), "mine")
    assert extensions.generators() == {"negative": factory}
    assert extensions.segmenters() == extensions.trackers() == {}
    extensions.unregister("mine")
    extensions.unregister("never there")
    assert extensions.generators() == {}


def test_factories_are_not_called_before_somebody_chooses() -> None:
    def explode():
        raise AssertionError("listing must not build anything")

    extensions = Extensions(discover=False)
    extensions.register(_plugin(trackers={"late": explode}), "mine")
    assert list(extensions.trackers()) == ["late"]


def test_a_broken_plugin_is_left_out_and_noted(caplog) -> None:
    extensions = Extensions(discover=False)
    good = {"good": dict}
    extensions.register(_plugin(segmenters=good), "good")
    extensions.register(_plugin(segmenters=RuntimeError("no licence")), "raises")
    extensions.register(_plugin(segmenters=[1, 2]), "nonsense")
    extensions.register(_plugin(segmenters={"not callable": 3}), "constant")
    extensions.register(_plugin(segmenters={"good": list}), "late")
    for _ in range(2):  # asked twice, noted once
        # the engine asks the last registered first
        assert extensions.segmenters() in (good, {"good": list})
    texts = " ".join(problem.message for problem in extensions.problems)
    assert len(extensions.problems) == len(caplog.records) == 4
    for part in ("no licence", "'nonsense' failed", "no factory", "taken by another plugin"):
        assert part in texts


def test_registering_nonsense_says_what_was_expected() -> None:
    extensions = Extensions(discover=False)
    with pytest.raises(InputError, match="functions marked @hook_implementation"):
        extensions.register(type("Empty", (), {}), "empty")
    extensions.register(_plugin(generators={}), "mine")
    with pytest.raises(InputError, match="already registered"):
        extensions.register(_plugin(generators={}), "mine")


def _install_by_hand(folder: Path, name: str, module: str, source: str) -> None:
    """Write what pip leaves of an installed distribution: a module and its metadata."""
    (folder / f"{module}.py").write_text(textwrap.dedent(source))
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{name} = {module}\n")


def _lists(path: str, code: str) -> list[str]:
    """Run `code` with `path` searched first and return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": path, "PATH": ""},
    )
    return done.stdout.splitlines()


def test_an_installed_package_is_found_by_its_entry_point(tmp_path) -> None:
    good = """
        from napari_virtualstain.hooks import hook_implementation

        @hook_implementation
        def virtualstain_generators():
            return {"from outside": dict}
    """
    _install_by_hand(tmp_path, "good-plugin", "good_plugin", good)
    _install_by_hand(tmp_path, "bad-plugin", "bad_plugin", "import a_module_that_is_not_there")
    source = Path(__file__).resolve().parents[1] / "src"
    lines = _lists(
        f"{source}:{tmp_path}",
        """
        import sys
        from napari_virtualstain import hooks
        print([name for name in hooks.generators() if "outside" in name])
        print(any("a_module_that_is_not_there" in p.message for p in hooks.EXTENSIONS.problems))
        print(sorted({"torch", "napari", "qtpy", "numpy"} & set(sys.modules)))
        """,
    )
    assert lines == ["['from outside']", "True", "[]"]


@pytest.fixture
def example(monkeypatch) -> Extensions:
    """Return the extensions of the example package, its source on the path."""
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    from virtualstain_example_plugin import hooks

    extensions = Extensions(discover=False)
    extensions.register(hooks, "virtualstain-example-plugin")
    return extensions


def test_the_example_package_keeps_the_contracts(example) -> None:
    rng = np.random.default_rng(0)
    spots = np.zeros((3, 40, 40), np.float32)
    for frame in range(3):
        spots[frame, 10 + frame : 14 + frame, 10:14] = 50
        spots[frame, 28:32, 25:29] = 50
    dark = 100 - spots + rng.random(spots.shape, dtype=np.float32)
    generator = example.generators()["example: dark is bright"]()
    segmenter = example.segmenters()["example: Otsu"]()
    tracker = example.trackers()["example: nearest"]()
    stained = np.stack([generator(frame, pixel_size_um=0.08) for frame in dark])
    assert (stained.shape, stained.dtype) == (dark.shape, np.float32)
    labels = np.stack([segmenter(frame, pixel_size_um=0.08) for frame in stained])
    assert labels.dtype == np.int32
    assert labels.max() == 2
    tracks = tracker(labels, pixel_size_um=0.08, frame_interval_s=2.0)
    assert tracks.groupby("track_id").size().tolist() == [3, 3]
    assert {"track_id", "frame", "y_um", "x_um", "label"} <= set(tracks)
    still = tracks[tracks.track_id == 2]
    assert still.y_um.std() < 0.05
    assert still.y_um.mean() == pytest.approx(29.5 * 0.08, abs=0.08)


def test_the_example_package_announces_itself() -> None:
    import tomllib

    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    entry = project["entry-points"][ENTRY_POINT_GROUP]["virtualstain-example-plugin"]
    assert (EXAMPLE / "src" / f"{entry.replace('.', '/')}.py").is_file()
