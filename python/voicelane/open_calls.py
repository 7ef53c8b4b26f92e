"""Which calls of the model are not answered yet."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from .reply import Reply

# Far more than a conversation has at once: a bound, for calls that nobody answers.
_MAX_OPEN_CALLS = 1024


@dataclass(slots=True)
class _Call:
    group: str
    is_wanted: bool
    reply: Reply | None


class OpenCalls:
    """The open calls in groups: after the last answer of a group, one response is due.

    No response is due to calls that the caller has interrupted.
    """

    def __init__(self) -> None:
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._silenced_group: str | None = None

    def add(self, call_id: str, *, group: str, reply: Reply | None = None) -> None:
        """Notes a call, and the reply that goes on with its answer."""
        is_wanted = group != self._silenced_group
        if reply is not None and not is_wanted:
            reply.finish("cancelled")
        self._calls[call_id] = _Call(group, is_wanted, reply)
        while len(self._calls) > _MAX_OPEN_CALLS:
            self._calls.popitem(last=False)

    @property
    def are_awaited(self) -> bool:
        """Whether a response is due to one of them."""
        return any(call.is_wanted for call in self._calls.values())

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    def reply_to(self, call_id: str) -> Reply | None:
        """The reply that goes on with the answer to a call."""
        call = self._calls.get(call_id)
        return call.reply if call else None

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
            if call.reply is not None:
                call.reply.finish("cancelled")

    def clear(self) -> None:
        """Forgets everything: the next session is another conversation."""
        self._calls.clear()
        self._silenced_group = None
