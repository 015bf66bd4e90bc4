"""A project of its own for each test, as the working folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.project import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty folder, to which files are written and which is then linted."""
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)
