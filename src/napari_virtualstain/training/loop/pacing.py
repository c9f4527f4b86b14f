"""Number of steps that fit into the given time."""

from __future__ import annotations

_FIRST_PLAN, _EVERY = 4, 20


class Pacing:
    """Plan of the number of steps, renewed now and then at the pace so far.

    Parameters
    ----------
    seconds : float
        Time for the steps, those of an earlier part of a resumed training included.

    Examples
    --------
    >>> pacing = Pacing(100.0)
    >>> [pacing.allowed(step, 10.0 + step) for step in (1, 2, 5)]
    [None, None, 90]
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start: tuple[int, float] | None = None
        self.is_first_plan = False

    def allowed(self, step: int, seconds: float) -> int | None:
        """Return the steps that the time allows in all, or None while the plan stays.

        Parameters
        ----------
        step : int
            Steps made.
        seconds : float
            That have passed.
        """
        left = self._seconds - seconds
        if self._start is None:
            self._start = (step, seconds)  # the first step also builds and loads
        done = step - self._start[0]
        self.is_first_plan = done == _FIRST_PLAN
        if left > 0 and not self.is_first_plan and (done < _FIRST_PLAN or done % _EVERY):
            return None
        a_step = (seconds - self._start[1]) / max(1, done)
        return step + (int(left / a_step) if left > 0 and a_step > 0 else 0)
