"""Text in, text out: no audio is sent, received or made.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/text_only.py
"""

from __future__ import annotations

from shared import account, arguments, run
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig
from voicelane.event_stream import EventStream
from voicelane.events import Error, TextResponse, Transcription


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
        account() as where,
        AzureVoiceLive(model="gpt-realtime", config=config, **where) as model,
    ):
        events = model.events()
        await ask(model, events, "Can you read this?")
        await ask(model, events, "And this?")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
