"""Memory that can still be had."""

from __future__ import annotations

from pathlib import Path


def free_memory() -> int:
    """Return the bytes that can still be had on this machine, or in this container or batch job.

    Examples
    --------
    >>> free_memory() > 0
    True
    """
    import psutil

    free_of_machine = int(psutil.virtual_memory().available)
    free_of_group = _free_of_group()
    return free_of_machine if free_of_group is None else max(0, min(free_of_machine, free_of_group))


def _free_of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return what a container or a batch job may still take (cgroup 2), None if all."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        statistics = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    if not limit.isdigit():
        return None
    # file cache counts as used but is given up when memory is asked for
    cache = sum(int(s.split()[1]) for s in statistics if s.startswith("inactive_file "))
    return int(limit) - used + cache
