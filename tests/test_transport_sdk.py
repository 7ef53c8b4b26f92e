"""What voicelane relies on inside azure-ai-voicelive: these fail when a new version moves it."""

from __future__ import annotations

import asyncio
import inspect

import aiohttp
from aiohttp import web
from azure.ai.voicelive.aio import VoiceLiveConnection, connect
from azure.core.credentials import AzureKeyCredential

from support import service
from voicelane import AzureVoiceLive, ReconnectPolicy
from voicelane.simulator import Simulator


async def test_the_connection_keeps_its_websocket_and_sends_on_it() -> None:
    key = AzureKeyCredential("simulator-key")
    async with (
        Simulator() as sim,
        connect(endpoint=sim.endpoint, credential=key, model="m") as connection,
    ):
        websocket = connection._connection
        assert isinstance(websocket, aiohttp.ClientWebSocketResponse)
        await websocket.send_str('{"type": "response.cancel"}')
        await connection.recv()
        refused = await connection.recv()
        assert refused["error"]["code"] == "response_cancel_not_active"
        assert websocket.close_code is None
    assert list(inspect.signature(VoiceLiveConnection).parameters) == ["client_session", "ws"]


async def test_a_cancelled_connect_leaves_its_client_session_in_its_frame() -> None:
    """If this fails, the SDK mends itself: `_close_abandoned_session` can go."""
    silent = await asyncio.start_server(
        lambda _reader, writer: writers.append(writer), "127.0.0.1", 0
    )
    writers: list[asyncio.StreamWriter] = []
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        manager = connect(
            endpoint=f"ws://127.0.0.1:{port}", credential=AzureKeyCredential("key"), model="m"
        )
        session = None
        try:
            async with asyncio.timeout(0.1):
                try:
                    await manager.__aenter__()
                except asyncio.CancelledError as cancelled:
                    trace = cancelled.__traceback__
                    while trace is not None:
                        session = trace.tb_frame.f_locals.get("session", session)
                        trace = trace.tb_next
                    raise
        except TimeoutError:
            assert isinstance(session, aiohttp.ClientSession)
            assert not session.closed
            await session.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_the_close_code_and_reason_are_the_services() -> None:
    async def expire(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        await websocket.close(code=1001, message=b"session_expired")

    async with service(expire) as endpoint:
        never = ReconnectPolicy(max_attempts=0)
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key", reconnect=never)
        async with model:
            lost = await model.wait_closed()
            assert lost is not None
            assert (lost.code, lost.reason) == (1001, "session_expired")


async def test_audio_is_sent_as_it_was_encoded() -> None:
    texts: list[str] = []

    async def listen(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        async for message in websocket:
            texts.append(message.data)

    async with service(listen) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        async with model:
            await model.handle_audio_input(bytes(3840))
            await model.flush_audio()
    assert texts == ['{"type":"input_audio_buffer.append","audio":"' + "A" * 1280 + '"}']
