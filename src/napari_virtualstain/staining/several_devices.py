"""Several devices of one machine that stain one movie together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from numpy.typing import NDArray

from ..engine import OnTile, Planes, Region
from ..errors import DeviceError
from ..models import Inputs, ModelCard
from ..normalisation import FittedNormalisation
from .stainer import StainedPlane, Stainer


class StainerTeam:
    """Stains planes with one model on several devices; each call takes one that is idle.

    Called in :attr:`threads` threads, all devices are busy. Calls beyond that wait.

    Parameters
    ----------
    members : list of Stainer
        Of one model and one pixel size; all take the arithmetic that suits each of them.

    Raises
    ------
    DeviceError
        Devices of unlike kinds: frames of a movie would differ by their arithmetic.

    Examples
    --------
    >>> from napari_virtualstain.models import Model, ModelCard, build_network
    >>> card = ModelCard(name="tiny", architecture={"arguments": {"widths": [4, 4]}})
    >>> model = Model(build_network(card.architecture), card, "", None)
    >>> one = Stainer(model, pixel_size_um=0.08).changed(device="cpu")
    >>> StainerTeam([one, one]).threads
    2
    """

    def __init__(self, members: list[Stainer]) -> None:
        kinds = {member.network.device.type for member in members}
        if len(kinds) > 1:
            raise DeviceError(
                f"Devices of unlike kinds were named ({', '.join(sorted(kinds))}), whose "
                "arithmetic differs: frames would not be alike. Name devices of one kind, such as "
                "'cuda:0,cuda:1'."
            )
        if len({member.network.precision for member in members}) > 1:
            members = [member.changed(precision="float32") for member in members]
        self._members = members
        shares = [max(1, member.threads) for member in members]
        self.threads = sum(shares)
        self._idle: SimpleQueue[Stainer] = SimpleQueue()
        for turn in range(max(shares)):
            for member in itertools.compress(members, (share > turn for share in shares)):
                self._idle.put(member)

    def __reduce__(self) -> Any:
        # a queue cannot travel to another process
        return StainerTeam, (self._members,)

    @property
    def card(self) -> ModelCard:
        """What the model was made for."""
        return self._members[0].card

    @property
    def pixel_size_um(self) -> float | None:
        """Of the images."""
        return self._members[0].pixel_size_um

    @property
    def inputs(self) -> Inputs:
        """Which neighbours of a plane the network reads."""
        return self._members[0].inputs

    @property
    def note(self) -> str:
        """What must be the same for a resumed run to give the same movie."""
        return self._members[0].note

    def fit(self, source: Planes) -> FittedNormalisation:
        """Return the normalisation of a movie, see :meth:`Stainer.fit`."""
        return self._members[0].fit(source)

    def frames_at_once(self, shape: tuple[int, int], region: Region | None = None) -> int:
        """Return how many planes of this size are worth one call of :meth:`stain_batch`."""
        return self._members[0].frames_at_once(shape, region)

    def stain(
        self, planes: NDArray[Any], fitted: FittedNormalisation, **asked: Any
    ) -> StainedPlane:
        """Return the result for one plane, see :meth:`Stainer.stain`."""
        return self.stain_batch([planes], fitted, **asked)[0]

    def stain_batch(
        self,
        batch: list[NDArray[Any]],
        fitted: FittedNormalisation,
        *,
        region: Region | None = None,
        on_tile: OnTile | None = None,
    ) -> list[StainedPlane]:
        """Return the results for some planes of one device, see :meth:`Stainer.stain_batch`."""
        with self._one() as member:
            return member.stain_batch(batch, fitted, region=region, on_tile=on_tile)

    @contextmanager
    def _one(self) -> Iterator[Stainer]:
        member = self._idle.get()
        try:
            yield member
        finally:
            self._idle.put(member)
