"""A transport of one's own: here the service is a parrot in this very process, and there is no network.

    python examples/custom_transport.py

With one you reach the service by another way than a websocket of this process, or look at what passes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared import arguments, run
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, PlaybackBuffer
from voicelane.transport import ConnectOptions, Received
from voicelane.uplink import Uplink


class Parrot:
    """As `voicelane.transport.Transport` says: events of the service out, of the client in."""

    connection = None  # of azure-ai-voicelive, for `session.connection`
    writes_playback = False  # the session decodes the audio

    def __init__(self) -> None:
        self._events: asyncio.Queue[bytes] = asyncio.Queue()
        self._heard = ""
        self._num_responses = 0

    async def receive(self) -> Sequence[Received]:
        return [await self._events.get()]

    def receive_nowait(self) -> Sequence[Received]:
        return []

    async def send(self, event: Mapping[str, Any]) -> None:
        self._take(event)

    async def serve(self, uplink: Uplink) -> None:
        while True:
            self._take(json.loads(await uplink.get()))

    def silence(self, response_id: str) -> None:
        """It sends no audio."""

    async def close(self) -> None:
        """There is nothing to close."""

    def _say(self, kind: str, **fields: Any) -> None:
        self._events.put_nowait(json.dumps({"type": kind, **fields}).encode())

    def _take(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                self._say("session.updated", session={"id": "parrot"})
            case "conversation.item.create":
                self._heard = event["item"]["content"][0]["text"]
            case "response.create":
                self._num_responses += 1
                response_id = f"response-{self._num_responses}"
                self._say("response.created", response={"id": response_id})
                self._say("response.text.done", item_id=response_id, text=self._heard.upper())
                self._say("response.done", response={"id": response_id, "status": "completed"})


async def connect(options: ConnectOptions, _playback: PlaybackBuffer) -> Parrot:
    print(f"connecting to {options.model}")
    return Parrot()


async def main() -> None:
    model = AzureVoiceLive(
        model="parrot",
        api_key="none",
        config=AzureVoiceLiveConfig(modalities=["text"]),
        transport=connect,
    )
    model.on("error", print)
    async with model:
        for text in ("Pieces of eight!", "Who is a good bird?"):
            reply = await model.send_text_message(text)
            print(f"user: {text}\nagent: {(await reply).text}")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
