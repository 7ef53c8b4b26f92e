"""A session with settings of its own: an Azure voice, semantic turn detection, text on the way out.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/configured_session.py
"""

from __future__ import annotations

import asyncio

from shared import account, arguments, listen, run, show
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig
from voicelane.config import (
    AzureSemanticVad,
    AzureStandardVoice,
    EndOfUtterance,
    StaticInterimResponse,
    Transcription,
)

CONFIG = AzureVoiceLiveConfig(
    voice=AzureStandardVoice("en-US-AvaNeural", style="cheerful", rate="1.1"),
    turn_detection=AzureSemanticVad(
        silence_duration_ms=400,
        remove_filler_words=True,
        end_of_utterance_detection=EndOfUtterance(threshold_level="high", timeout_ms=800),
    ),
    input_audio_noise_reduction="azure_deep_noise_suppression",
    input_audio_echo_cancellation="server_echo_cancellation",
    input_audio_transcription=Transcription(
        "azure-speech", language=["en-US", "de-DE"], phrase_list=["voicelane"]
    ),
    interim_response=StaticInterimResponse(texts=["One moment, please."], triggers=["tool"]),
    output_audio_timestamp_types=["word"],
    max_response_output_tokens=400,
    metadata={"example": "configured_session"},
)


async def main() -> None:
    async with account() as where:
        model = AzureVoiceLive(model="gpt-4.1", config=CONFIG, **where)
        model.on("realtime_model_transcription", show)
        model.on("error", print)
        async with model:
            # In the course of a session: the same names, the same checks.
            await model.update_session(temperature=0.7, tool_choice="none")
            loudspeaker = asyncio.create_task(listen(model))
            await (await model.send_text_message("Can you hear me?"))  # until it was heard
            loudspeaker.cancel()
        print(f"heard {model.playback.played_ms / 1000:.1f} s of the agent")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
