"""The stores and the table of transitions say the same, for every status and every command."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowgraph.model import TRANSITIONS, RunStatus
from tests.stores.rig import Rig

PERFORM: dict[str, Callable[[Rig, int, int], object]] = {
    "claim": lambda rig, no, epoch: rig.claim(now_us=2**62),
    "suspend": lambda rig, no, epoch: [
        rig.suspend(no, status, epoch=epoch) for status in TRANSITIONS["suspend"][1] if not rig.row().status.suspended
    ],
    "release": lambda rig, no, epoch: rig.release(no, epoch),
    "recover": lambda rig, no, epoch: rig.recover(),
    "finish": lambda rig, no, epoch: rig.finish(no, RunStatus.FAILED, epoch),
    "cancel": lambda rig, no, epoch: rig.cancel(),
    "pause": lambda rig, no, epoch: rig.pause(no, epoch=epoch),
    "resume": lambda rig, no, epoch: rig.reopen("operator"),
}


@pytest.mark.parametrize("status", list(RunStatus))
@pytest.mark.parametrize("transition", TRANSITIONS)
def test_a_command_changes_a_status_as_the_table_says(rig: Rig, transition: str, status: RunStatus) -> None:
    sources, targets = TRANSITIONS[transition]
    no = rig.in_status(status)
    PERFORM[transition](rig, no, rig.row().epoch)
    if status in sources:
        assert rig.status() in targets
    else:
        assert rig.status() is status
