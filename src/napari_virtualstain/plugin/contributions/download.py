"""Fetching the paper's public sample, once, with checksums."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ...errors import InputError
from ...folders import cache_folder

COMMIT = "0738c87"
BASE = (
    "https://raw.githubusercontent.com/AyushSomani001/VirtualStain_I2I/"
    f"{COMMIT}/VirtualStain_I2I/Dataset/"
)
FOLDERS = {"bright_field": "train_A", "fluorescence": "train_B"}


def registry() -> dict[str, str]:
    """Return the SHA-256 of each file of the sample by its path in the repository.

    The sample is cell TL_012. It also trained the shipped model `mito-h9c2`, whose card has
    the scores of a model that had not seen it.
    """
    text = resources.files(__package__).joinpath("h9c2_pairs.txt").read_text(encoding="utf-8")
    return dict(line.split() for line in text.splitlines() if line)


def fetch_h9c2_pairs(
    folder: Path | None = None, *, base_url: str = BASE, checksums: dict[str, str] | None = None
) -> Path:
    """Return the folder with subfolders ``bright_field`` and ``fluorescence``.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Where the files are kept; default is the user's cache folder.
    base_url : str
        Where they come from.
    checksums : dict, optional
        SHA-256 by path; default :func:`registry`.

    Raises
    ------
    InputError
        A file cannot be downloaded, or is not the file that it should be.
    """
    import pooch

    root = folder or cache_folder() / f"h9c2-{COMMIT}"
    known = checksums or registry()
    pooch.get_logger().setLevel("WARNING")
    for name, subfolder in FOLDERS.items():
        for path, checksum in known.items():
            if not path.startswith(subfolder + "/"):
                continue
            try:
                pooch.retrieve(
                    base_url + path,
                    known_hash=f"sha256:{checksum}",
                    fname=Path(path).name,
                    path=root / name,
                )
            except (OSError, ValueError) as error:
                raise InputError(_advice(path, root, error)) from error
    return root


def _advice(path: str, root: Path, error: Exception) -> str:
    return (
        f"The sample file {Path(path).name} could not be downloaded "
        f"({type(error).__name__}: {str(error).splitlines()[0][:160]}). Connect to the "
        f"internet and open the sample again; files that arrived are kept in {root}. "
        "The sample 'Simulated correlative time-lapse' needs no network."
    )
