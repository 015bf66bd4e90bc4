"""The command line: thin commands over the public surface."""

from __future__ import annotations


def main() -> None:
    """Carry out this process's command line; the console script ``flowgraph``."""
    import sys
    from io import TextIOWrapper

    from flowgraph.cli.commands import call

    if isinstance(sys.stdout, TextIOWrapper):  # No name of a step is a reason to fail, whatever the encoding.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(call())


__all__ = ["main"]
