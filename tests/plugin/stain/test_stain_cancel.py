"""Cancelling of the Stain dock, inside a tile."""

# ruff: noqa: F811

from __future__ import annotations

from pathlib import Path

import pytest

from napari_virtualstain.plugin.stain.dock import StainWidget

from .test_stain_dock import models, movie, widget  # noqa: F401


def test_cancelling_stops_between_layers_and_not_only_between_tiles(
    widget: StainWidget, models: Path
) -> None:
    from napari_virtualstain.errors import CancelledError
    from napari_virtualstain.plugin.stain.job import PlaneStainer
    from napari_virtualstain.progress import CancelToken

    asked = widget._visible_request()
    assert asked is not None
    token = CancelToken()
    stainer = PlaneStainer(asked[0], token)
    prepared = stainer._stainer.network._prepared
    network, armed, reached = prepared._networks(prepared.precision), [False], []
    first = next(m for m in network.modules() if not list(m.children()))
    first.register_forward_hook(lambda *_: token.cancel() if armed[0] else None)
    network.network.head.register_forward_hook(lambda *_: reached.append(armed[0]))
    [(plane, _)] = stainer.stain([(0,)])
    assert plane.shape == (96, 112)
    assert reached
    armed[0] = True
    with pytest.raises(CancelledError):
        stainer.stain([(0,)])
    assert True not in reached
