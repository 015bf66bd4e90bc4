"""Processes for scenarios, none of which outlives its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.support import Spawner


@pytest.fixture(scope="session")
def zygotes() -> Iterator[Spawner]:
    spawner = Spawner()
    yield spawner
    spawner.close()


@pytest.fixture
def spawner(zygotes: Spawner) -> Iterator[Spawner]:
    yield zygotes
    zygotes.close_busy()
