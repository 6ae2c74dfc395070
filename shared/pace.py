"""How fast a key may be used: a bucket that refills, one a key."""

from __future__ import annotations

BURST, A_SECOND = 60.0, 10.0
MOST_KEYS = 2000


class Pace:
    """Lets a key make so many requests a second, and `burst` at once after a rest; each process counts for itself."""

    def __init__(self, burst: float = BURST, a_second: float = A_SECOND) -> None:
        self._burst, self._a_second = burst, a_second
        self._left: dict[str, tuple[float, float]] = {}

    def lets(self, key: str, now: float) -> bool:
        """Count a request at `now` (seconds of a clock that never goes back); returns whether it may go on."""
        if len(self._left) >= MOST_KEYS and key not in self._left:
            self._left.clear()
        left, seen = self._left.get(key, (self._burst, now))
        left = min(self._burst, left + (now - seen) * self._a_second)
        self._left[key] = (max(0.0, left - 1), now)
        return left >= 1
