"""Best weights of a training on held-out images."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..training_config import Monitor


def monitored(monitor: Monitor, scores: dict[str, float]) -> float:
    """Return the figure by which steps are compared; larger is better.

    Examples
    --------
    >>> monitored("correlations", {"pearson": 0.5, "bandpass_pearson": 0.25, "loss": 1.0})
    0.375
    """
    if monitor == "loss":
        return -scores["loss"]
    if monitor == "correlations":
        return (scores["pearson"] + scores["bandpass_pearson"]) / 2
    return scores.get(monitor, 0.0)


@dataclass(slots=True)
class BestWeights:
    """The best step so far; goes into the checkpoint as a plain dict.

    Attributes
    ----------
    score : float or None
        Of :func:`monitored`.
    step : int
        When it was reached.
    weights : dict or None
        The network's state then, where it is kept.
    waited : int
        Looks at the held-out images since, none of them better.
    looked : int or None
        The step of the last look.
    """

    score: float | None = None
    step: int = 0
    weights: dict[str, Any] | None = None
    waited: int = 0
    looked: int | None = None

    def note(self, step: int, score: float, network: nn.Module | None) -> bool:
        """Take note of a look and return whether it was the best; keep the network's weights."""
        self.looked = step
        if self.score is not None and score <= self.score:
            self.waited += 1
            return False
        self.score, self.step, self.waited = score, step, 0
        if network is not None:
            self.weights = deepcopy(network.state_dict())
        return True

    def state(self) -> dict[str, Any]:
        """Return everything as a plain dict; the weights are not copied."""
        return {name: getattr(self, name) for name in self.__slots__}
