"""A folder of its own for each test, command lines in this process and in real ones, and rows without a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Flows, Here, Shell


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, in which nothing says where the store is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWGRAPH_STORE", raising=False)
    return tmp_path


@pytest.fixture
def flows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flows:
    """Writes files with workflows into the working folder."""
    return Flows(folder, monkeypatch)


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str]) -> Here:
    """Carries out command lines in this process."""
    return Here(capfd)


@pytest.fixture
def shell(folder: Path) -> Shell:
    """Carries out command lines in processes of their own; what is still at work at the end is killed."""
    made = Shell(folder)
    yield made  # type: ignore[misc]
    made.close()
