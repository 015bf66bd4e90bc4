"""A folder with Python files that is linted through the public surface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from flowgraph.lint import Page, Report, Settings, Sources, lint, written

FLOW = """\
from flowgraph import step, workflow

async def work(): ...

@workflow
async def flow():
    await step("one", work)
"""
"""A file with which all is well."""

TWICE = f'{FLOW}    await step("one", work)\n'
"""The same with FG101 in line 8."""


_QUIET = Settings(ignore=("FG201", "FG601"))
"""The files of these tests have workflows of one name, and steps that nobody calls."""


class Project:
    """The working folder of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **files: str | bytes) -> None:
        """Write files; `flow` is flow.py, `shop__flow` is shop/flow.py."""
        for name, content in files.items():
            self.put(f"{name.replace('__', '/')}.py", content)

    def put(self, path: str, content: str | bytes) -> Path:
        """Write one file, whatever it is called."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
        return file

    def lint(
        self,
        *paths: str,
        settings: Settings | None = None,
        cache: Path | None = None,
        contents: Mapping[str, bytes] | None = None,
    ) -> Report:
        """Lint the folder, or some paths in it."""
        return lint(paths or ["."], settings, cache=cache, contents=contents)

    def found(self, *paths: str, settings: Settings | None = None) -> list[str]:
        """The findings in short: ``flow.py:8 FG101``."""
        report = self.lint(*paths, settings=settings or _QUIET)
        assert report.failures == ()
        return short(report)

    def report(self, output_format: str, *paths: str, settings: Settings | None = None) -> str:
        """The findings in one of the formats."""
        return written(output_format, Page(self.lint(*paths, settings=settings), Sources()))


def short(report: Report) -> list[str]:
    return [f"{found.path}:{found.line} {found.code}" for found in report.findings]
