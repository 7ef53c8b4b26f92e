"""When a lost connection is made again, and how soon."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import VoiceLiveError


@dataclass
class ReconnectPolicy:
    """The one place that decides between retryable and fatal. Subclass it to decide otherwise.

    The delays are exponential with full jitter: each is drawn from 0 to a bound that doubles, so that
    sessions which were lost together do not come back together (Brooker, "Exponential Backoff And
    Jitter", AWS Architecture Blog, 2015).

    Attributes:
        max_attempts: connects tried for one loss; 0 never reconnects.
        first_delay_s: the bound of the first delay.
        max_delay_s: what the bound doubles up to.
        max_retry_after_s: where the service asks to be left alone for longer, the session ends.
        renew_before_s: a session is renewed at the first pause within so long before it expires.
        random: the source of the jitter.
    """

    max_attempts: int = 6
    first_delay_s: float = 0.25
    max_delay_s: float = 8.0
    max_retry_after_s: float = 60.0
    renew_before_s: float = 60.0
    random: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        if self.max_attempts < 0:
            raise ValueError(f"max_attempts: expected 0 or more, got {self.max_attempts}")
        if not 0 < self.first_delay_s <= self.max_delay_s:
            raise ValueError(
                "first_delay_s: expected more than 0 and at most max_delay_s "
                f"({self.max_delay_s:g}), got {self.first_delay_s:g}"
            )

    def is_retryable(self, error: VoiceLiveError) -> bool:
        """Whether to try again after this error: by default what the error says of itself."""
        return error.retryable and self.asked_delay_s(error) <= self.max_retry_after_s

    def asked_delay_s(self, error: VoiceLiveError) -> float:
        """How long the service asked to be left alone: 0 where it did not."""
        return getattr(error, "retry_after_s", None) or 0.0

    def delays_s(self) -> Iterator[float]:
        """The delay before each attempt."""
        bound_s = self.first_delay_s
        for _ in range(self.max_attempts):
            yield self.random.uniform(0, bound_s)
            bound_s = min(2 * bound_s, self.max_delay_s)
