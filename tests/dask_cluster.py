"""A dask cluster of this machine, which is optional, as tests stain on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest


@contextlib.contextmanager
def local_cluster(workers: int, threads: int = 1) -> Iterator[Any]:
    """Hold a client of workers in processes of their own; without dask.distributed, skip."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=threads, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client
