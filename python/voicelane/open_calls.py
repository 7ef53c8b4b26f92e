"""Which calls of the model are not answered yet."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

# Far more than a conversation has at once: a bound, for calls that nobody answers.
_MAX_OPEN_CALLS = 1024


@dataclass(slots=True)
class _Call:
    group: str
    is_wanted: bool


class OpenCalls:
    """The open calls in groups: after the last answer of a group, one response is due.

    No response is due to calls that the caller has interrupted.
    """

    def __init__(self) -> None:
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._silenced_group: str | None = None

    def add(self, call_id: str, *, group: str) -> None:
        """Notes a call."""
        self._calls[call_id] = _Call(group, is_wanted=group != self._silenced_group)
        while len(self._calls) > _MAX_OPEN_CALLS:
            self._calls.popitem(last=False)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    def remove(self, call_id: str) -> bool:
        """Forgets a call that was answered. Returns whether a response is due to its group now."""
        call = self._calls.pop(call_id, None)
        if call is None or not call.is_wanted:
            return False
        return not any(
            other.is_wanted and other.group == call.group for other in self._calls.values()
        )

    def silence(self, group: str | None) -> None:
        """No response is due to the calls that are open, nor to those that `group` still brings."""
        self._silenced_group = group
        for call in self._calls.values():
            call.is_wanted = False
