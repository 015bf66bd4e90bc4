"""Whether a path is on a network file system, where neither SQLite's log nor file locks can be trusted."""

from __future__ import annotations

import os
import re
from pathlib import Path

_REMOTE = ("nfs", "cifs", "smb", "afs", "ncpfs", "glusterfs", "ceph", "lustre", "sshfs")
_octal = re.compile(r"\\([0-7]{3})")


def network_file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """The type of the network file system that holds `path`; None for a local one, and where the system cannot tell."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    found, longest = "", -1
    target = Path(os.path.realpath(path))  # Path.resolve raises for links in a circle.
    for line in lines:
        _, point, system, *_ = line.split(" ", 3)
        folder = Path(_octal.sub(lambda octal: chr(int(octal[1], 8)), point))
        if len(folder.parts) >= longest and target.is_relative_to(folder):  # The later of two mounts hides the earlier.
            found, longest = system, len(folder.parts)
    return found if found.removeprefix("fuse.").startswith(_REMOTE) else None
