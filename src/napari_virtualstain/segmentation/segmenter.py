"""A segmenter: a model with its normalisation, applied to planes of a movie.

The network runs at the pixel size of the image as long as that lies in the range that
it was trained for, and also when it is not known; outside the range the image is
brought to the nearer end of it. Thin objects lose more by interpolation than the
network by another scale. In fine pixels, mitochondria of usual width are wider than any
that it was trained with: there it also sees the plane at the usual pixel size, and the
scale at which it is surer counts.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..axes import USUAL_PIXEL_SIZE_UM, check_positive
from ..engine import fill_non_finite
from ..errors import InputError, ModelError
from ..models import default_model, load_model
from ..normalisation import FittedNormalisation
from ..settings import SegmentSettings
from .affinities import MERGE_ABOVE
from .expected_iou import best_cut, expected_iou, recentred, sigmoid
from .instances import Labels
from .maps import SegmentationMaps
from .turned_maps import averaged_over_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ..engine import Precision, TiledNetwork
    from ..models import Model

FOREGROUND, CONTACT = "foreground", "contact"
# wider ones come out in pieces: the network has hardly seen any; narrower lose outline
_WIDTH_PX = 10.0
# in finer pixels than this part of the usual size both scales are tried
_FINE = 0.75


class Segmenter:
    """Model that turns planes of fluorescence into maps; can be sent to another process.

    Parameters
    ----------
    model : Model, str, path or None
        A segmenter; None is the default one.
    pixel_size_um : float or None
        Of the images, micrometres.
    width_um : float or None
        Typical width of the mitochondria, micrometres, where they are swollen or flat:
        the network then sees them as narrow as it knows them. None where they are of
        usual width, up to about half a micrometre.
    average : bool
        Average the network over the eight turns and flips of each plane, eight times the
        work: a little better, and the same whichever way the image lies.
    device : str or None
        See :func:`napari_virtualstain.engine.resolve_device`.
    tile : int or None
        Tile size in pixels; does not change the result.
    precision : {"auto", "float32", "bfloat16", "float16", "int8"}
        Arithmetic of the network; see :class:`napari_virtualstain.engine.TiledNetwork`.
        ``auto`` is the fastest that agrees with float32.
    """

    def __init__(
        self,
        model: Model | str | Path | None = None,
        *,
        pixel_size_um: float | None = None,
        width_um: float | None = None,
        average: bool = False,
        device: str | None = None,
        tile: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        self.model = as_segmenter(model)
        self.pixel_size_um = check_positive(pixel_size_um, "pixel size", "µm")
        self.width_um = check_positive(width_um, "width of the mitochondria", "µm")
        self.averages = average
        self._device = device
        self._tile = tile
        self._precision = precision
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        # a lock and a network on a GPU cannot travel; both are made again there
        hidden = ("_lock", "network")
        return {name: value for name, value in self.__dict__.items() if name not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.RLock())

    @cached_property
    def network(self) -> TiledNetwork:
        """The network on its device."""
        from ..engine import TiledNetwork

        return TiledNetwork(
            self.model.network,
            device=self._device,
            tile=self._tile,
            precision=self._precision,
            ranges=self.model.card.activation_ranges,
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Whatever of the card's ``segmentation`` part matters here."""
        return dict(getattr(self.model.card, "segmentation", None) or {})

    def fit(self, planes: Iterable[NDArray[Any]]) -> FittedNormalisation:
        """Return the normalisation of a movie from a sample of its planes."""
        return self.model.card.normalisation.input.fit(planes)

    def maps(
        self,
        plane: NDArray[Any],
        fitted: FittedNormalisation | None = None,
        *,
        on_tile: Callable[[int, int], None] | None = None,
    ) -> SegmentationMaps:
        """Return the maps of one plane, shape (Y, X).

        Parameters
        ----------
        plane : ndarray, shape (Y, X)
            Fluorescence in any unit.
        fitted : FittedNormalisation, optional
            Of the movie; that of the plane alone if not given.
        on_tile : callable, optional
            Called before each tile of the network; may raise to stop.
        """
        if plane.ndim != 2:
            raise InputError(f"The plane has shape {plane.shape}: expected (Y, X).")
        fitted = (fitted or self.fit([plane])).for_plane(plane)
        values = fill_non_finite(plane, fitted.offset)[0]
        if fitted.constant or values.min() == values.max():
            return self._nothing(values.shape)
        return self.maps_of_normalised(self.compressed(fitted.apply(values)), on_tile=on_tile)

    def labels(
        self,
        plane: NDArray[Any],
        fitted: FittedNormalisation | None,
        settings: SegmentSettings,
        *,
        on_tile: Callable[[int, int], None] | None = None,
    ) -> Labels:
        """Return the labels of one plane, int32 (Y, X); see :meth:`maps`."""
        return self.maps(plane, fitted, on_tile=on_tile).labels(
            threshold=settings.threshold,
            min_area_um2=settings.min_area_um2,
            split=settings.split,
        )

    @property
    def note(self) -> str:
        """What must be the same for a resumed run to give the same labels."""
        return (
            f"model {self.model.sha256} pixel {self.pixel_size_um} width {self.width_um} "
            f"average {self.averages} arithmetic {self.network.arithmetic}"
        )

    @property
    def provenance(self) -> tuple[str, str]:
        """Name and checksum of the model."""
        return self.model.name, self.model.sha256

    def maps_of_normalised(
        self, normal: NDArray[np.float32], *, on_tile: Callable[[int, int], None] | None = None
    ) -> SegmentationMaps:
        """Return the maps of a plane that is normalised and compressed already."""
        scales = self._inner_sizes(normal.shape)
        tried = [self._raw_maps(normal, shape, on_tile=on_tile) for _, shape in scales]
        surest = 0
        if len(tried) > 1:
            surest = int(np.argmax([expected_iou(sigmoid(raw[0])) for raw in tried]))
        size_um, shape = scales[surest]
        return self._compact(tried[surest], normal.shape, shape, size_um)

    def _raw_maps(
        self,
        normal: NDArray[np.float32],
        shape: tuple[int, int],
        *,
        on_tile: Callable[[int, int], None] | None,
    ) -> NDArray[np.float32]:
        """Return the network's logits, (1 + 1 + K, *shape), of a plane brought to `shape`."""
        from ..engine import resample

        plane = resample(normal, shape)
        with self._lock:
            if self.averages:
                return averaged_over_turns(
                    lambda laid: self.network.predict(laid, on_tile=on_tile), plane, self._steps
                )
            raw: NDArray[np.float32] = self.network.predict(plane[None, None], on_tile=on_tile)[0]
        return raw

    def _compact(
        self,
        raw: NDArray[np.float32],
        outer: tuple[int, ...],
        shape: tuple[int, int],
        size_um: float | None,
    ) -> SegmentationMaps:
        from ..engine import resample

        inner = sigmoid(raw[0])
        cut = best_cut(inner, float(self.settings.get("lowest_cut", 0.5)))
        if cut < 0.5:
            inner = sigmoid(recentred(raw[0], cut))
        foreground = inner if shape == outer else resample(inner, (outer[0], outer[1])).clip(0, 1)
        return SegmentationMaps.compact(
            foreground,
            inner,
            raw[1:],
            self._steps,
            pixel_size_um=self.pixel_size_um,
            inner_pixel_size_um=size_um,
            merge_above=float(self.settings.get("merge_above", MERGE_ABOVE)),
        )

    @property
    def _steps(self) -> tuple[tuple[int, int], ...]:
        return tuple((int(dy), int(dx)) for dy, dx in self.settings.get("steps", ()))

    def compressed(self, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return normalised intensities on a scale that also shows dim mitochondria."""
        gain = float(self.settings.get("asinh_gain", 0.0))
        if gain <= 0:
            return normal
        return np.asarray(np.arcsinh(gain * normal) / np.arcsinh(gain), np.float32)

    def _inner_sizes(self, shape: tuple[int, ...]) -> list[tuple[float | None, tuple[int, int]]]:
        """Return the pixel sizes and shapes at which the network sees a plane."""
        from ..engine import resampled_shape

        height, width = shape
        size = self.pixel_size_um
        limits = self.settings.get("pixel_size_range_um")
        own = size or USUAL_PIXEL_SIZE_UM
        wanted = [float(np.clip(own, *limits)) if limits and size is not None else own]
        if self.width_um is not None:
            wanted = [wanted[0] * max(1.0, self.width_um / wanted[0] / _WIDTH_PX)]
        elif limits and wanted[0] < _FINE * USUAL_PIXEL_SIZE_UM:
            wanted.append(USUAL_PIXEL_SIZE_UM)
        return [
            (None if size is None else inner, resampled_shape((height, width), own, inner))
            for inner in wanted
        ]

    def _nothing(self, shape: tuple[int, ...]) -> SegmentationMaps:
        empty = np.zeros(shape, np.float32)
        pairs = np.zeros((len(self._steps) and len(self._steps) + 1, *shape), np.float32)
        return SegmentationMaps.compact(
            empty, empty, pairs, self._steps, pixel_size_um=self.pixel_size_um
        )


def as_segmenter(model: Model | str | Path | None) -> Model:
    """Return the model, loaded if need be.

    Raises
    ------
    ModelError
        There is none, or it is no segmenter.
    """
    from ..models import Model

    if model is None:
        model = default_model("segmenter")
    if not isinstance(model, Model):
        return load_model(model, kind="segmenter")
    if model.card.kind != "segmenter":
        raise ModelError(
            f"{model.name!r} is a {model.card.kind}, but a segmenter is needed to outline "
            "mitochondria, for instance 'mito-segment'."
        )
    return model
