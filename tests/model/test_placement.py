"""Which words may be used where a handler runs: the table, and the scopes of the runtime that keep to it."""

from __future__ import annotations

import pytest

from flowgraph.dsl import step
from flowgraph.errors import DefinitionError
from flowgraph.model import StepInfo
from flowgraph.model.placement import EVERYWHERE, EXECUTOR, LOOP, REFUSALS, THREAD, TRANSACTION
from flowgraph.runtime.remote import RemoteScope

REMOTE = RemoteScope(StepInfo("r", "flow", "a", 1, None, "r:a"))


def test_every_place_but_the_loop_says_what_to_do() -> None:
    assert set(REFUSALS) == {THREAD, EXECUTOR, TRANSACTION}
    assert LOOP not in REFUSALS
    assert all(refusal.where and refusal.advice for refusal in REFUSALS.values())


def test_the_words_that_are_allowed_everywhere_are_those_of_a_handler_in_another_process() -> None:
    assert {word for word in vars(RemoteScope) if not word.startswith("_") and word != "run"} == EVERYWHERE
    assert all(callable(getattr(step, word)) for word in EVERYWHERE)


@pytest.mark.parametrize("word", ["step", "sleep", "fan_out", "listen", "execute_workflow"])
def test_a_handler_in_another_process_is_refused_every_other_word(word: str) -> None:
    refusal = REFUSALS[EXECUTOR]
    with pytest.raises(DefinitionError, match=f"step.{word} was called {refusal.where}"):
        getattr(REMOTE, word)
