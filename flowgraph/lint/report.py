"""What a lint has found: a value without any formatting."""

from __future__ import annotations

from collections import Counter

import attrs

from flowgraph.model.diagnostic import Diagnostic, Severity


@attrs.frozen
class Failure:
    """Something of flowgraph's own that broke while a file was checked: its fault, not the file's."""

    part: str
    """The code of a rule, or ``compiler``."""
    path: str
    error: str

    @classmethod
    def of(cls, part: str, path: str, error: Exception) -> Failure:
        """What an exception says, in one line."""
        message = " ".join(str(error).split())[:200]
        return cls(part, path, f"{type(error).__name__}: {message}" if message else type(error).__name__)

    def __str__(self) -> str:
        part = self.part if self.part == "compiler" else f"rule {self.part}"
        return (
            f"{part} broke on {self.path}: {self.error}. This is a fault of flowgraph: report it with that file, "
            f"and leave the file out with --exclude meanwhile."
        )


@attrs.frozen
class Report:
    """What came out.

    Attributes:
        findings: what is shown, in the order of files and lines.
        failures: what broke; the findings are not complete then.
        workflows: how many workflows were checked.
        files: in how many files.
        scanned: how many files were looked at.
    """

    findings: tuple[Diagnostic, ...]
    failures: tuple[Failure, ...] = ()
    workflows: int = 0
    files: int = 0
    scanned: int = 0

    def count(self, severity: Severity) -> int:
        """How many findings are as bad as that."""
        return Counter(found.severity for found in self.findings)[severity]

    def passes(self, *, strict: bool = False) -> bool:
        """Whether nothing was found that counts: no error, and with `strict` no warning."""
        return not self.count("error") and not (strict and self.count("warning"))
