"""The errors of a connection that was not made, in the same words on every transport.

None of them holds the URL's query or a header: both may carry what must not be logged.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from ..credentials import API_KEY_VARIABLE, ENDPOINT_VARIABLE
from ..errors import AuthenticationError, ConnectError, ConnectTimeoutError


def insecure(host: str) -> ConnectError:
    """The endpoint asks for no TLS, on the way to another machine."""
    return ConnectError(
        f"endpoint: expected wss:// to {host}, got ws://, which shows the credentials to the network: "
        "allow_insecure=True allows it"
    )


def timed_out(host: str, timeout_s: float) -> ConnectTimeoutError:
    """No answer in time."""
    return ConnectTimeoutError(
        f"{host} did not answer within {timeout_s:g} s (check {ENDPOINT_VARIABLE})"
    )


def unreachable(host: str, why: str) -> ConnectError:
    """No way there, or nobody."""
    return ConnectError(f"cannot reach {host}: {why} (check {ENDPOINT_VARIABLE})")


def no_websocket(host: str, why: str) -> ConnectError:
    """Somebody is there, who speaks something else."""
    return ConnectError(f"cannot connect to {host}: {why} (check {ENDPOINT_VARIABLE})")


def refused(host: str, status: int, retry_after: str | None) -> ConnectError:
    """An HTTP answer that opens no websocket."""
    if status in (401, 403):
        return AuthenticationError(
            f"{host} refused the credentials (HTTP {status}): check {API_KEY_VARIABLE}",
            status=status,
        )
    return ConnectError(
        f"{host} refused the connection (HTTP {status})",
        status=status,
        retry_after_s=_seconds(retry_after),
    )


def no_token(host: str, error: BaseException) -> AuthenticationError:
    """The credential gave none."""
    return AuthenticationError(f"no token for {host}: {type(error).__name__}: {error}")


def _seconds(retry_after: str | None) -> float | None:
    """Seconds or a date (RFC 9110, 10.2.3); None for what is neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
