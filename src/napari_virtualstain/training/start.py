"""Starting model of a training: a shipped one unless another is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .presets import RECOMMENDED, preset

if TYPE_CHECKING:
    from .config import TrainingConfig

USUAL_START = "mito-h9c2"
AUTOMATIC, FROM_NOTHING = "auto", "none"


def with_start(config: TrainingConfig, init: str = AUTOMATIC) -> TrainingConfig:
    """Return the settings with a model to start from.

    Parameters
    ----------
    config : TrainingConfig
        Its own ``init`` is replaced.
    init : str
        Name or path of a model; ``none`` starts from random weights; ``auto`` starts the
        ``recommended`` preset from :data:`USUAL_START`, unless another network was chosen,
        and the methods of the paper from random weights.

    Examples
    --------
    >>> with_start(preset()).init, with_start(preset(), "none").init, with_start(preset("A")).init
    ('mito-h9c2', '', '')
    """
    if init == AUTOMATIC:
        usual = preset().architecture
        fits = config.preset == RECOMMENDED and config.architecture == usual
        init = USUAL_START if fits else FROM_NOTHING
    return config.updated(init="" if init == FROM_NOTHING else init)
