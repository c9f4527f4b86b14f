"""One model with its settings, ready to stain planes of a movie."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..axes import check_positive
from ..engine import (
    AssumedPixelSizeWarning,
    Box,
    OnTile,
    Planes,
    PlaneSlices,
    Precision,
    TiledNetwork,
    View,
    fill_planes,
    is_processor,
    orientations,
    resampled_shape,
    resolve_devices,
    turned,
    turned_back,
    view_of,
)
from ..errors import InputError, ModelError
from ..models import Inputs, Model, ModelCard, default_model, load_model
from ..normalisation import FittedNormalisation
from ..settings import StainSettings
from .flat_field import flattened

# float16 ends at 65504; a hot pixel this far from the median is not tissue
_LARGEST_INPUT = 1e4


@dataclass(frozen=True, slots=True)
class StainedPlane:
    """The result for one plane.

    Attributes
    ----------
    fluorescence : ndarray of shape (Y, X), float32
        In the units of the model's training targets.
    uncertainty : ndarray of shape (Y, X), float32, or None
        Standard deviation of the error that is to be expected, in the same units.
    """

    fluorescence: NDArray[np.float32]
    uncertainty: NDArray[np.float32] | None = None


class Stainer:
    """Model that stains planes; can be sent to another process.

    Parameters
    ----------
    model : Model, str, path or None
        None is the default generator.
    settings : StainSettings, optional
        Its `precision`, `average` and `flat_field` matter here.
    pixel_size_um : float or None
        Of the images. None assumes the model's own, with a warning.
    device : str or None
        One or several, see :func:`resolve_devices`. Called in :attr:`threads` threads, all of
        them are busy.
    tile : int or None
        Tile size in pixels of the model, None to choose from the free memory.

    Examples
    --------
    >>> from napari_virtualstain.models import ModelCard, build_network
    >>> card = ModelCard(name="tiny", architecture={"arguments": {"widths": [4, 4]}})
    >>> model = Model(build_network(card.architecture), card, "", None)
    >>> stainer = Stainer(model, device="cpu")
    >>> stainer.stain(np.zeros((1, 20, 30)), FittedNormalisation()).fluorescence.shape
    (20, 30)
    """

    def __init__(
        self,
        model: Any = None,
        settings: StainSettings | None = None,
        *,
        pixel_size_um: float | None = None,
        device: str | None = None,
        tile: int | None = None,
    ) -> None:
        self.model = as_generator(model)
        self.settings = settings or StainSettings()
        self._device, self._tile = device, tile
        self.pixel_size_um = usable_pixel_size(self.model, pixel_size_um)
        self._lock = threading.Lock()
        self._networks: tuple[TiledNetwork, ...] = ()
        self._idle: SimpleQueue[TiledNetwork] = SimpleQueue()

    def __getstate__(self) -> dict[str, Any]:
        # locks and networks on a GPU cannot travel; they are made again there, but with the
        # arithmetic that was chosen here, so that unlike workers make one movie
        settings = self.settings.model_copy(update={"precision": self.network.precision})
        made_there = dict.fromkeys(("_lock", "_networks", "_idle"))
        return {**self.__dict__, **made_there, "settings": settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock(), _networks=(), _idle=SimpleQueue())

    @property
    def networks(self) -> tuple[TiledNetwork, ...]:
        """The network on each of its devices, made when first needed."""
        with self._lock:
            if not self._networks:
                self._networks = self._on_devices(self.settings.precision)
                for network in self._networks:
                    self._idle.put(network)
        return self._networks

    @property
    def network(self) -> TiledNetwork:
        """The network on its first device."""
        return self.networks[0]

    def _on_devices(self, precision: Precision) -> tuple[TiledNetwork, ...]:
        networks = tuple(
            TiledNetwork(
                self.model.network,
                device=device,
                tile=self._tile,
                precision=precision,
                ranges=self.card.activation_ranges,
            )
            for device in resolve_devices(self._device)
        )
        # frames of one movie must not differ by the arithmetic of their device
        if len({network.precision for network in networks}) > 1:
            return self._on_devices("float32")
        return networks

    @property
    def threads(self) -> int:
        """How many threads are worth calling :meth:`stain_batch` in; 0 is the caller's alone.

        One frame fills a CPU. For a GPU, one thread prepares frames while another has it.
        """
        count = len(self.networks)
        if is_processor(self.network.device):
            return 0 if count == 1 else count
        return 2 * count

    @property
    def card(self) -> ModelCard:
        """What the model was made for."""
        return self.model.card

    @property
    def inputs(self) -> Inputs:
        """Which neighbours of a plane the network reads."""
        return self.card.inputs

    @property
    def note(self) -> str:
        """What must be the same for a resumed run to give the same movie."""
        return (
            f"model {self.model.sha256} pixel {self.pixel_size_um} "
            f"arithmetic {self.network.arithmetic} average {self.averages}"
            f"{' flat field' if self.settings.flat_field else ''}"
        )

    @property
    def averages(self) -> bool:
        """Whether the eight turns and flips are averaged."""
        if self.settings.average is not None:
            return self.settings.average
        return bool(self._on_card.get("test_time_augmentation", False))

    @property
    def _on_card(self) -> dict[str, Any]:
        """What the model's card says about inference."""
        return getattr(self.card, "inference", None) or {}

    @property
    def knows_uncertainty(self) -> bool:
        """Whether results have an uncertainty: the model predicts it, or it is the spread."""
        return bool(self.card.predicts_uncertainty) or self.averages

    def with_uncertainty(self) -> Stainer:
        """Return this stainer, or one that averages, so that results have an uncertainty."""
        if self.knows_uncertainty:
            return self
        return Stainer(
            self.model,
            self.settings.model_copy(update={"average": True}),
            pixel_size_um=self.pixel_size_um,
            device=self._device,
            tile=self._tile,
        )

    def fit(self, source: Planes) -> FittedNormalisation:
        """Return the normalisation of a movie, fitted to a sample of its planes."""
        sample = source.sample()
        if self.settings.flat_field:
            sample = [flattened(plane) for plane in sample]
        return self.card.normalisation.input.fit(sample)

    def stain(
        self,
        planes: NDArray[Any],
        fitted: FittedNormalisation,
        *,
        region: PlaneSlices | None = None,
        on_tile: OnTile | None = None,
    ) -> StainedPlane:
        """Return the result for one plane.

        Parameters
        ----------
        planes : ndarray of shape (C, Y, X)
            The plane with the neighbours that the model reads, in units of the camera.
        fitted : FittedNormalisation
            Of the movie.
        region : (slice, slice), optional
            Rows and columns to return; only what the network looks at for them is computed.
            The values are those of the whole plane.
        on_tile : callable, optional
            See :meth:`TiledNetwork.predict`.
        """
        return self.stain_batch([planes], fitted, region=region, on_tile=on_tile)[0]

    def stain_batch(
        self,
        batch: list[NDArray[Any]],
        fitted: FittedNormalisation,
        *,
        region: PlaneSlices | None = None,
        on_tile: OnTile | None = None,
    ) -> list[StainedPlane]:
        """Return the results for planes of one size, see :meth:`stain`."""
        view = self._view(batch[0].shape[-2:], region)
        inputs = np.stack(
            [view.to_model(self._normalised(planes, fitted, view.read)) for planes in batch]
        )
        with self._idle_network() as network:
            mean, deviation = self._predict(network, inputs, on_tile)
        return [
            self._in_units(mean[i], None if deviation is None else deviation[i], view)
            for i in range(len(batch))
        ]

    def frames_at_once(self, shape: tuple[int, int], region: PlaneSlices | None = None) -> int:
        """Return how many planes of this size are worth one call of :meth:`stain_batch`."""
        return self.network.frames_at_once(self._view(shape, region).computed.shape)

    @contextmanager
    def _idle_network(self) -> Iterator[TiledNetwork]:
        """Hold a network that no other thread uses: it takes all cores and free memory."""
        _ = self.networks  # makes them and fills the queue
        network = self._idle.get()
        try:
            yield network
        finally:
            self._idle.put(network)

    def _view(self, shape: tuple[int, int], region: PlaneSlices | None) -> View:
        wanted = self.card.pixel_size_um
        inner = shape
        if wanted is not None and self.pixel_size_um is not None:
            inner = resampled_shape(shape, self.pixel_size_um, wanted)
        rows = self.network.reads_whole_rows
        return view_of(
            shape,
            inner,
            region,
            halo=self.network.halo,
            stride=self.network.stride,
            whole_rows=rows,
            # averaging lays columns as rows
            whole_columns=rows and self.averages,
        )

    def _normalised(
        self, planes: NDArray[Any], fitted: FittedNormalisation, part: Box
    ) -> NDArray[np.float32]:
        if planes.shape[0] != self.card.inputs.planes:
            raise InputError(
                f"{planes.shape[0]} planes were given but model {self.model.name!r} reads "
                f"{self.card.inputs.planes}."
            )
        if self.settings.flat_field:
            planes = np.stack([flattened(plane) for plane in planes])
        normalisation = self.card.normalisation.input
        if normalisation.scope == "frame":
            fitted = normalisation.fit(planes)
        maps = [fitted.for_plane(plane) for plane in planes]
        seen = planes[(..., *part.slices)]
        if seen.dtype.kind == "f" and not np.isfinite(seen).all():
            planes = fill_planes(planes, [one.offset for one in maps])
        with np.errstate(over="ignore"):
            normal = np.stack(
                [one.apply(plane[part.slices]) for one, plane in zip(maps, planes, strict=True)]
            )
        return np.clip(normal, -_LARGEST_INPUT, _LARGEST_INPUT)

    def _predict(
        self, network: TiledNetwork, inputs: NDArray[np.float32], on_tile: OnTile | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return mean and standard deviation, (N, Y, X), both normalised."""
        count, total, squares, noise = 0, 0.0, 0.0, 0.0
        predicts_scale = self.card.predicts_uncertainty
        scale_channel = self.card.outputs.index("log_scale") if predicts_scale else 0
        shift: Any = None
        for orientation in orientations(self.averages):
            output = turned_back(
                network.predict(turned(inputs, *orientation), on_tile=on_tile), *orientation
            )
            mean = output[:, 0]
            if predicts_scale:
                # a Laplace distribution of scale b has variance 2 b^2
                noise = noise + 2.0 * np.exp(2.0 * np.clip(output[:, scale_channel], -20, 20))
            # sums about the first result: squares of small differences do not cancel
            shift = mean if shift is None else shift
            total = total + (mean - shift)
            squares = squares + (mean - shift) ** 2
            count += 1
        average = shift + np.asarray(total, np.float32) / count
        if not (predicts_scale or count > 1):
            return average, None
        spread = squares / count - (total / count) ** 2
        deviation = np.sqrt(np.maximum(spread, 0.0) + np.asarray(noise) / count)
        return average, deviation.astype(np.float32)

    def _in_units(
        self,
        mean: NDArray[np.float32],
        deviation: NDArray[np.float32] | None,
        view: View,
    ) -> StainedPlane:
        output = self.card.normalisation.output.typical
        fluorescence = output.invert(view.from_model(mean))
        if deviation is None:
            return StainedPlane(fluorescence)
        factor = float(self._on_card.get("uncertainty_factor", 1.0)) * output.scale
        # interpolation overshoots beside steep edges, and a deviation is never negative
        uncertainty = np.maximum(view.from_model(deviation), 0.0) * np.float32(factor)
        return StainedPlane(fluorescence, uncertainty)


def as_generator(model: Any) -> Model:
    """Return the model meant by a name, a path, a model, or None for the default one.

    Raises
    ------
    ModelError
        There is none, or it is not a generator.
    """
    if isinstance(model, Model):
        if model.card.kind != "generator":
            raise ModelError(
                f"{model.name!r} is a {model.card.kind}, but staining needs a generator."
            )
        return model
    return load_model(default_model("generator") if model is None else model, kind="generator")


def usable_pixel_size(model: Model, pixel_size_um: float | None) -> float | None:
    """Return the pixel size to stain with: as given, else the model's, with a warning."""
    given = check_positive(pixel_size_um, "pixel size", "µm")
    wanted = model.card.pixel_size_um
    if given is None and wanted is not None:
        warnings.warn(
            f"The pixel size of the image is not known; {wanted:g} µm was assumed, that of model "
            f"{model.name!r}. If it is another, the result is wrong: give pixel_size_um "
            "(--pixel-size-um).",
            AssumedPixelSizeWarning,
            stacklevel=5,
        )
        return wanted
    return given
