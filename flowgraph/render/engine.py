"""Graphviz itself: which ``dot`` is there, and running it.

Looked for are, in this order: what FLOWGRAPH_DOT names, ``dot`` on the PATH, and graphviz-pure where it is installed
(``pip install 'flowgraph[svg]'``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from flowgraph.errors import GraphvizError

_SECONDS = 120.0
_MISSING = (
    "Graphviz was not found. Install it with pip install 'flowgraph[svg]', or from your system's packages, or name a "
    "dot executable in FLOWGRAPH_DOT. The formats .mmd, .txt, .dot and .json need none."
)


def find_dot() -> str:
    """The path of the ``dot`` executable; GraphvizError where there is none."""
    named = os.environ.get("FLOWGRAPH_DOT")
    if named:
        found = shutil.which(named)
        if found is None:
            raise GraphvizError(f"FLOWGRAPH_DOT is {named!r}, which is no executable file.")
        return found
    pure = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts")) or shutil.which(
        "graphviz-pure", path=str(Path(sys.executable).parent)
    )
    found = shutil.which("dot") or pure or shutil.which("graphviz-pure")
    if found is None:
        raise GraphvizError(_MISSING)
    return found


def run_dot(source: str, format_: str, *options: str) -> bytes:
    """What ``dot`` makes of a DOT source.

    Raises:
        GraphvizError: there is no Graphviz, or it cannot draw this.
    """
    dot = find_dot()
    command = [dot, f"-T{format_}", *options]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
    except OSError as error:
        raise GraphvizError(f"{dot} cannot be run: {error.strerror}.") from None
    except subprocess.TimeoutExpired:
        raise GraphvizError(
            f"{dot} was not done after {_SECONDS:g} s. Draw less of the graph, with --depth or --focus."
        ) from None
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        said.sort(key=lambda line: "rror" not in line)  # Warnings come after what is wrong.
        raise GraphvizError(f"{dot} failed with exit code {done.returncode}: {said[0] if said else 'it said nothing'}")
    return done.stdout
