"""Text in, text out: no audio is sent, received or made.

    python examples/text_only.py

Runs against the embedded simulator. For the service leave ``endpoint`` and ``api_key`` away and set
AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY.
"""

from __future__ import annotations

import asyncio

from voicelane import AzureVoiceLive, AzureVoiceLiveConfig
from voicelane.event_stream import EventStream
from voicelane.events import Error, TextResponse, Transcription
from voicelane.simulator import Simulator


async def ask(model: AzureVoiceLive, events: EventStream, question: str) -> None:
    print(f"user: {question}")
    await model.send_text_message(question)
    async for event in events:
        match event:
            case Transcription("agent", text, is_final=False):
                print(f"\ragent: {text}", end="", flush=True)  # so far, word by word
            case TextResponse(text):
                print(f"\ragent: {text}")
                return
            case Error(message):
                print(message)


async def main() -> None:
    config = AzureVoiceLiveConfig(modalities=["text"])
    async with (
        Simulator() as simulator,
        AzureVoiceLive(
            model="gpt-realtime",
            config=config,
            endpoint=simulator.endpoint,
            api_key=simulator.api_key,
        ) as model,
    ):
        events = model.events()
        await ask(model, events, "Can you read this?")
        await ask(model, events, "And this?")


if __name__ == "__main__":
    asyncio.run(main())
