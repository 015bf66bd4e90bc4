"""Ids of runs: text that grows with time, so that the index on it is filled in order and stays small."""

from __future__ import annotations

import hashlib
import os
import random

_random = random.Random()  # noqa: S311 (ids are told apart, not kept secret; a system call for each would cost more)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_run_id(now_us: int) -> str:
    """A new id: 48 bits of time in milliseconds, then 64 random ones, in hexadecimal."""
    return f"{now_us // 1_000:012x}{_random.getrandbits(64):016x}"


def child_run_id(parent_id: str, path: str, generation: int = 0) -> str:
    """The id of the child that step `path` of run `parent_id` starts: always the same.

    `generation` counts the children of this path that failed below an attempt that failed, and count no longer.
    """
    text = f"{parent_id}\n{path}\n{generation}" if generation else f"{parent_id}\n{path}"
    return hashlib.blake2b(text.encode(), digest_size=14).hexdigest()
