"""The items of a conversation, and what a client may do with them."""

from __future__ import annotations

from collections.abc import Sequence

from .events import (
    Event,
    RequestError,
    required_int,
    required_object,
    required_str,
    wrong_type,
)
from .items import Item, item_from_request


class History:
    """The items of a conversation, in order. It lives and grows as long as its session.

    Args:
        is_cascaded: Name the item before another as a cascaded model's session does.
    """

    def __init__(self, *, is_cascaded: bool) -> None:
        self.items: list[Item] = []
        self._is_cascaded = is_cascaded

    def find(self, item_id: str) -> Item | None:
        """Return the item with this id, None if there is none."""
        return next((item for item in reversed(self.items) if item.id == item_id), None)

    def insert(self, item: Item, after_id: str | None) -> str | None:
        """Put `item` after the item `after_id` ("root": first; None: last).

        Returns:
            The id that is told as that of the item before it.

        Raises:
            RequestError: There is no item `after_id`, or there is one with the new item's id.
        """
        self.refuse_duplicates([item])
        if after_id is None:
            index = len(self.items)
        elif after_id == "root":
            index = 0
        else:
            previous = self.find(after_id)
            if previous is None:
                raise RequestError(
                    f"Error adding item: the previous item with id '{after_id}' does not exist.",
                    code="item_create_invalid_previous_item_id",
                    param="previous_item_id",
                )
            index = self.items.index(previous) + 1
        self.items.insert(index, item)
        previous = self.items[index - 1] if index else None
        if (
            self._is_cascaded
            and after_id in (None, "root")
            and (previous is None or previous.is_clients)
        ):
            return None if item.audio_ms else ""
        return previous.id if previous else None

    def refuse_duplicates(self, items: Sequence[Item]) -> None:
        """Raise RequestError if one of the items has an id that another one has, too."""
        known = {item.id for item in self.items}
        for item in items:
            if item.id in known:
                message = f"Error adding item: an item with ID '{item.id}' already exists."
                raise RequestError(message, code="item_create_duplicate_item_id", param="item.id")
            known.add(item.id)

    # The client's requests

    def create(self, event: Event, new_id: str) -> tuple[Item, Event]:
        """Answer `conversation.item.create`; return the item, too."""
        after_id = event.get("previous_item_id")
        if after_id is not None and not isinstance(after_id, str):
            raise wrong_type("previous_item_id", "a string", after_id)
        item = item_from_request(required_object(event, "item"), new_id)
        return item, created_event(item, self.insert(item, after_id))

    def retrieve(self, event: Event) -> list[Event]:
        """Answer `conversation.item.retrieve`."""
        item = self._requested(event, "retrieve", "retrieving")
        return [{"type": "conversation.item.retrieved", "item": item.data}]

    def delete(self, event: Event) -> list[Event]:
        """Answer `conversation.item.delete`."""
        item = self._requested(event, "delete", "deleting")
        self.items.remove(item)
        return [{"type": "conversation.item.deleted", "item_id": item.id}]

    def truncate(self, event: Event) -> list[Event]:
        """Answer `conversation.item.truncate`."""
        item = self._requested(event, "truncate", "truncating")
        content_index = required_int(event, "content_index")
        audio_end_ms = required_int(event, "audio_end_ms")
        if not item.is_assistant_audio:
            message = "Only model output audio messages can be truncated"
            raise RequestError(message, code="unsupported_content_type", param="item_id")
        if content_index != 0:
            message = f"Invalid 'content_index': the item has one part, but got {content_index}."
            raise RequestError(message, param="content_index")
        if audio_end_ms > item.audio_ms:
            message = f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise RequestError(message, param="audio_end_ms")
        return [truncate(item, audio_end_ms)]

    def _requested(self, event: Event, verb: str, gerund: str) -> Item:
        item_id = required_str(event, "item_id")
        item = self.find(item_id)
        if item is None:
            message = f"Error {gerund} item: the item with id '{item_id}' does not exist."
            raise RequestError(message, code=f"item_{verb}_invalid_item_id", param="item_id")
        return item


def created_event(item: Item, previous_id: str | None) -> Event:
    """Return the event that tells of a new item."""
    return {
        "type": "conversation.item.created",
        "previous_item_id": previous_id,
        "item": item.data,
    }


def truncate(item: Item, audio_end_ms: int) -> Event:
    """Keep the first `audio_end_ms` of a spoken answer; return the event that tells of it."""
    item.truncate(audio_end_ms)
    return {
        "type": "conversation.item.truncated",
        "item_id": item.id,
        "content_index": 0,
        "audio_end_ms": audio_end_ms,
    }
