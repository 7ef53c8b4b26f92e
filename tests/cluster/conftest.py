"""Where these tests find what they share."""

from __future__ import annotations

import os
import secrets
from importlib.util import find_spec

if find_spec("ray") is None:  # these tests have an environment of their own: make test-ray
    collect_ignore_glob = ["*"]
else:
    # Before Ray is imported: nothing is left in the user's home, nothing is told to Ray's makers.
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
