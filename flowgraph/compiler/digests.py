"""Telling one content of a file from another: graphs are kept for as long as nothing has changed that they rest on."""

from __future__ import annotations

import hashlib
from pathlib import Path

Read = dict[str, bytes | None]
"""The digests of files by their paths; None for one that was not there."""


def digest(content: bytes) -> bytes:
    """What is the same for the same content only."""
    return hashlib.sha256(content).digest()


def digest_of(file: str) -> bytes | None:
    """The digest of a file; None if it cannot be read."""
    try:
        return digest(Path(file).read_bytes())
    except OSError:
        return None
