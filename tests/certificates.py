"""Certificates for servers of tests, made at run time."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import trustme


class Authority:
    """A certificate authority that nobody trusts who is not told to."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def itself(self) -> ssl.SSLContext:
        """The context of a server with the authority's own certificate, which nobody else signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with self._ca.private_key_pem.tempfile() as key:
            context.load_cert_chain(self.file, key)
        return context

    def server(self, *names: str, **times: Any) -> ssl.SSLContext:
        """The context of a server of these names; `times` are ``not_before`` and ``not_after``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names, **times).configure_cert(context)
        return context
