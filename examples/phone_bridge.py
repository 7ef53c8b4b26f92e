"""A telephone's call: a bridge plays a recording through the gateway and writes what it hears to a file.

    python examples/phone_bridge.py [reply.wav]

Speaks to a gateway as Twilio's Media Streams would: to the one at --url, or one of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import wave
from contextlib import suppress
from pathlib import Path

from aiohttp import ClientSession, ClientWebSocketResponse, WSCloseCode, WSMsgType

from shared import QUESTION, account, arguments, run, serving
from voicelane import AzureVoiceLive, CaptureEncoder, PlaybackBuffer
from voicelane.gateway import CallRequest, GatewaySettings, create_app

STREAM = "MZ0001"
FRAME_S = 0.020
SILENCE_S = 1.0  # of the agent, after which the caller hangs up


class Telephone:
    """The far end: its earpiece, and the marks to send back once it has played so far."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self._earpiece = PlaybackBuffer(8_000, encoding="g711_ulaw")
        self._marks: list[tuple[int, str]] = []
        self.heard = bytearray()
        self.silence_s = 0.0

    async def send(self, event: str, **content: object) -> None:
        await self._websocket.send_json({"event": event, "streamSid": STREAM, **content})

    async def listen(self) -> None:
        """Takes what the gateway says."""
        async for message in self._websocket:
            if message.type is not WSMsgType.TEXT:
                break
            said = json.loads(message.data)
            match said["event"]:
                case "media":
                    self._earpiece.write_base64(said["media"]["payload"])
                case "mark":
                    written = self._earpiece.stats()["written_frames"]
                    self._marks.append((written, said["mark"]["name"]))
                case "clear":
                    self._earpiece.clear()

    async def play(self) -> None:
        """The next 20 ms come out of the earpiece."""
        pcm, frames = self._earpiece.take(160)
        self.heard += pcm
        self.silence_s = 0.0 if frames else self.silence_s + FRAME_S
        stats = self._earpiece.stats()
        passed = stats["written_frames"] - stats["buffered_frames"]
        while self._marks and self._marks[0][0] <= passed:
            await self.send("mark", mark={"name": self._marks.pop(0)[1]})


async def call(url: str, token: str, output: Path) -> None:
    """Asks the recorded question, and hangs up after the answer."""
    with wave.open(str(QUESTION)) as file:
        encoder = CaptureEncoder(file.getframerate(), file.getnchannels(), encoding="g711_ulaw")
        step = file.getframerate() // 50
        spoken = [encoder.encode(file.readframes(step)) for _ in range(file.getnframes() // step)]
    silent = CaptureEncoder(8_000, 1, encoding="g711_ulaw").encode(bytes(320))
    clock = asyncio.get_running_loop().time
    async with ClientSession() as http, http.ws_connect(f"{url}/media-stream") as websocket:
        telephone = Telephone(websocket)
        media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8_000, "channels": 1}
        await telephone.send("connected", protocol="Call", version="1.0.0")
        start = {"streamSid": STREAM, "mediaFormat": media_format}
        await telephone.send("start", start=start | {"customParameters": {"token": token}})
        listening = asyncio.create_task(telephone.listen())
        due_s = clock()
        with suppress(ConnectionError):  # the gateway has closed
            while spoken or not any(telephone.heard) or telephone.silence_s < SILENCE_S:
                payload = spoken.pop(0) if spoken else silent
                await telephone.send("media", media={"track": "inbound", "payload": payload})
                await telephone.play()
                due_s += FRAME_S
                await asyncio.sleep(due_s - clock())
            await telephone.send("stop", stop={})
        await listening
        if websocket.close_code != WSCloseCode.OK:
            sys.exit(f"the gateway ended the call with {websocket.close_code}")
        print(f"hung up, the gateway closed with {websocket.close_code}")
    with wave.open(str(output), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(telephone.heard)
    print(f"{output}: {len(telephone.heard) / 16_000:.1f} s of the call")


async def main(url: str | None, token: str, output: Path) -> None:
    if url is not None:
        await call(url, token, output)
        return
    async with account() as where:

        def new_session(request: CallRequest) -> AzureVoiceLive:
            return AzureVoiceLive(model="gpt-realtime", config=request.config(), **where)

        gateway = create_app(new_session, GatewaySettings(token=token or None))
        async with serving(gateway) as own:
            await call(own, token, output)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("output", nargs="?", type=Path, default=Path("reply.wav"))
    parser.add_argument("--url", help="of a gateway, as http://127.0.0.1:8080/voice")
    parser.add_argument("--token", default="", help="what the gateway wants to be told")
    args = parser.parse_args()
    run(main(args.url, args.token, args.output))
