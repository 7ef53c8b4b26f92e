"""What a test can break on purpose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What the simulator does wrong; by default nothing.

    Attributes:
        refuse_with_status: Answer the websocket handshake with an HTTP status such as 401 or 503.
        accept_silently: Accept the websocket and read it, but never send an event.
        close_after_deltas: Close in mid-turn, after this many `response.audio.delta` events.
        close_code: The websocket code of that close; None cuts the TCP connection without one.
        close_reason: The reason that goes with `close_code`.
        first_connections: Only that many connections are faulty, later ones are served well
            (to test reconnection); None means all.
    """

    refuse_with_status: int | None = None
    accept_silently: bool = False
    close_after_deltas: int | None = None
    close_code: int | None = 1011
    close_reason: str = "simulated fault"
    first_connections: int | None = None

    def for_connection(self, index: int) -> Faults:
        """Return the faults of the connection with this index, counted from 0."""
        spared = self.first_connections is not None and index >= self.first_connections
        return NO_FAULTS if spared else self


NO_FAULTS = Faults()
