"""Divergence guard: stops a training whose numbers are not finite or far from any truth."""

from __future__ import annotations

import math
from typing import Any

from ...errors import TrainingError

_MOST_BAD_STEPS = 5
# A network that answers nothing at all is as wrong as an untrained one. Twenty times that for
# twenty steps is not a spike: the learning rate may still fall, but it has nothing left to learn.
_FAR, _MOST_FAR_STEPS = 20.0, 20


class DivergenceGuard:
    """Guard that judges every step, and stops a training that will not come back.

    Parameters
    ----------
    learning_rate : float
        The largest, for the message.

    Raises
    ------
    TrainingError
        From :meth:`allows`: too many steps in a row were meaningless.
    """

    def __init__(self, learning_rate: float) -> None:
        self._advice = (
            f"Lower the learning rate (now {learning_rate:g}), or check the images for extreme "
            "values."
        )
        self._bad_steps = 0
        self._far_steps = 0
        self._first_error: float | None = None

    @property
    def is_far(self) -> bool:
        """Whether the last image was so wrong that its weights should not be averaged in."""
        return self._far_steps > 0

    def allows(
        self, step: int, losses: dict[str, float], gradient_norm: float, error: float
    ) -> bool:
        """Return whether the step may change the weights.

        Parameters
        ----------
        step : int
            Counted from 1.
        losses : dict
            By name.
        gradient_norm : float
            Of the generator.
        error : float
            Mean absolute difference of output and target, in normalised units.
        """
        bad = sorted(name for name, value in losses.items() if not math.isfinite(value))
        if bad or not math.isfinite(gradient_norm):
            self._bad_steps += 1
            if self._bad_steps >= _MOST_BAD_STEPS:
                what = f"the loss ({', '.join(bad)})" if bad else "the gradient"
                raise self._lost(step, f"{what} has not been finite for {_MOST_BAD_STEPS} steps")
            return False
        self._bad_steps = 0
        if self._first_error is None:
            self._first_error = error
        self._far_steps = self._far_steps + 1 if error > _FAR * self._first_error else 0
        if self._far_steps >= _MOST_FAR_STEPS:
            raise self._lost(
                step,
                f"for {_MOST_FAR_STEPS} steps the stain has been over {_FAR:g} times further "
                "from the target than that of the untrained network",
            )
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs."""
        return {
            "bad_steps": self._bad_steps,
            "far_steps": self._far_steps,
            "first_error": self._first_error,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._bad_steps, self._far_steps = state["bad_steps"], state["far_steps"]
        self._first_error = state["first_error"]

    def _lost(self, step: int, reason: str) -> TrainingError:
        return TrainingError(f"Training diverged at step {step}: {reason}. {self._advice}")
