"""What goes wrong on the command line: one line on stderr, and an exit code."""

from __future__ import annotations

COMPLETED = 0
ENDED_BADLY = 1
"""The run failed, was aborted or cancelled, or timed out."""
TROUBLE = 2
"""The command was not understood, or could not be carried out."""
INTERRUPTED = 130


class Trouble(Exception):
    """A sentence for the user that says what is wrong and what to do; the command ends with exit code 2."""
