"""How much a client may send."""

from __future__ import annotations


class RateLimit:
    """A token bucket: so much per second on average, and a stock for what comes late.

    Args:
        per_second: what is allowed on average.
        stock: how much may come at once.
        now_s: the time.
    """

    def __init__(self, per_second: float, stock: float, now_s: float) -> None:
        self._per_second = per_second
        self._stock = self._left = stock
        self._at_s = now_s

    def allows(self, amount: float, now_s: float) -> bool:
        """Whether that much may come now; if so, it is taken from the stock."""
        self._left = min(self._stock, self._left + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s
        if amount > self._left:
            return False
        self._left -= amount
        return True
