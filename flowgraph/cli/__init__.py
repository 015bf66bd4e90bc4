"""The command line: thin commands over the public surface."""

from __future__ import annotations


def main() -> None:
    """Carry out this process's command line; the console script ``flowgraph``."""
    import sys

    from flowgraph.cli.commands import call

    sys.exit(call())


__all__ = ["main"]
