"""Staining on a cluster with dask.distributed.

Workers read and stain planes, this process writes them, so that the output is as
resumable as that of one machine. A worker that dies loses only its planes in work: the
scheduler gives them to another one. Each worker keeps the model after its first plane,
and stains one plane at a time with all of its threads, or with its GPU; several GPUs of one
machine need no cluster, see :func:`resolve_devices`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..engine import Planes, is_lazy, use_threads
from ..errors import DeviceError, InputError, VirtualStainError
from ..normalisation import FittedNormalisation
from .model_opening import AnyStainer
from .stainer import StainedPlane

_PLANES_AHEAD = 3
_RETRIES = 3


def stain_on_cluster(
    source: Planes,
    stainer: AnyStainer,
    fitted: FittedNormalisation,
    indices: list[int],
    client: Any,
) -> Iterator[tuple[int, StainedPlane]]:
    """Yield each plane's index and result, in the order in which they are finished.

    Parameters
    ----------
    source : Planes
        Files of a lazy one must have the same path on all workers.
    stainer : Stainer or AddOnStainer
        Sent to each worker once.
    fitted : FittedNormalisation
        Of the movie.
    indices : list of int
        Planes to stain.
    client : distributed.Client
        See :func:`cluster_client`.

    Raises
    ------
    DeviceError
        A plane failed on all tries.

    Examples
    --------
    Used by ``stain_to_file(..., scheduler=...)``, which writes what comes back:

    >>> with cluster_client("tcp://10.0.0.1:8786") as client:  # doctest: +SKIP
    ...     for index, plane in stain_on_cluster(source, stainer, fitted, [0, 1], client):
    ...         writer.write(index, plane.fluorescence)
    """
    at_once = _PLANES_AHEAD * max(1, _workers(client))
    return _run(client, source, stainer, fitted, indices, at_once)


@contextlib.contextmanager
def cluster_client(scheduler: Any) -> Iterator[Any]:
    """Hold a connection to a cluster that has workers.

    Parameters
    ----------
    scheduler : str or distributed.Client
        Address, such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    InputError
        dask.distributed is not installed.
    DeviceError
        The scheduler does not answer, or has no workers.

    Examples
    --------
    >>> with cluster_client("tcp://10.0.0.1:8786") as client:  # doctest: +SKIP
    ...     print(client.dashboard_link)
    """
    with contextlib.ExitStack() as opened:
        client = scheduler
        if isinstance(scheduler, str):
            client = opened.enter_context(_connected(scheduler))
        if not _workers(client):
            raise DeviceError(
                "The scheduler has no workers. Start some with 'dask worker ADDRESS' and try again."
            )
        yield client


def _workers(client: Any) -> int:
    """Return the number of workers, asked of the scheduler.

    Not of ``client.scheduler_info()``: a client replaces what that returns every few seconds by an
    answer without workers.
    """
    return len(client.nthreads())


def _run(
    client: Any,
    source: Planes,
    stainer: AnyStainer,
    fitted: FittedNormalisation,
    indices: list[int],
    at_once: int,
) -> Iterator[tuple[int, StainedPlane]]:
    from distributed import as_completed

    # results of tasks, unlike scattered data, are made again when a worker dies with them
    shared = client.submit(_keep, stainer, pure=False)
    lazy = client.submit(_keep, replace(source), pure=False) if is_lazy(source.array) else None
    left = iter(indices)
    # a client of our own is not the default one, whose loop it would look for
    running = as_completed(loop=client.loop)
    numbers: dict[str, int] = {}

    def submit_next() -> None:
        index = next(left, None)
        if index is None:
            return
        planes = lazy if lazy is not None else source.read(index)
        future = client.submit(
            _stain_plane, shared, planes, fitted, index, pure=False, retries=_RETRIES
        )
        numbers[future.key] = index
        running.add(future)

    for _ in range(at_once):
        submit_next()
    try:
        for future in running:
            yield numbers.pop(future.key), _result(future)
            submit_next()
    finally:
        client.cancel(list(running.futures), force=True)


def _keep(value: Any) -> Any:
    return value


def _stain_plane(
    stainer: AnyStainer, planes: Any, fitted: FittedNormalisation, index: int
) -> StainedPlane:
    from distributed import get_worker

    # a worker starts with OMP_NUM_THREADS=1, as if its tasks ran side by side
    use_threads(get_worker().state.nthreads)
    read = planes.read(index) if isinstance(planes, Planes) else planes
    return stainer.stain(read, fitted)


def _result(future: Any) -> StainedPlane:
    try:
        result: StainedPlane = future.result()
    except VirtualStainError:
        raise
    except Exception as error:  # whatever the cluster failed with
        raise DeviceError(
            f"A plane could not be stained on the cluster ({type(error).__name__}: {error}). What "
            "is finished has been kept: look at the workers' logs, then resume."
        ) from error
    return result


def _connected(address: str) -> Any:
    try:
        from distributed import Client
        from distributed.comm import resolve_address
    except ImportError as error:
        raise InputError(
            "A scheduler was given but dask.distributed is not installed. Install "
            "napari-virtualstain[distributed]."
        ) from error
    try:
        resolve_address(address)  # a client of an impossible address cannot be closed either
        return Client(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise DeviceError(
            f"There is no dask scheduler at {address!r} ({error}). Start one with "
            "'dask scheduler' and give its address, such as tcp://10.0.0.1:8786."
        ) from error
