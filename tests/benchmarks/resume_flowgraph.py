"""W4: a run that is killed with SIGKILL in the step after a long history, each time that this script runs.

    python resume_flowgraph.py STORE STEPS SPAWNED_NS

The first call makes the history. Every later one resumes the run, and says how long after SPAWNED_NS (the moment of
`time.monotonic_ns` at which the caller spawned it), and how long after the Runtime began to open, the body of the next
new step was entered. No module beyond those that the job needs is imported: their cost would be in the figure.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from flowgraph import Runtime, step, workflow

began_ns = 0


async def trivial(number: int) -> int:
    return number


async def next_new_step(spawned_ns: int) -> None:
    now_ns = time.monotonic_ns()
    print(f'{{"recovery_s": {(now_ns - began_ns) / 1e9}, "from_spawn_s": {(now_ns - spawned_ns) / 1e9}}}', flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


@workflow(timeout="1h")
async def history(steps: int) -> None:
    for number in range(steps):
        await step(f"step-{number}", trivial, number)
    await step("next", next_new_step, int(sys.argv[3]))


async def main() -> None:
    global began_ns
    store, steps = Path(sys.argv[1]), int(sys.argv[2])
    resuming = store.exists()
    began_ns = time.monotonic_ns()
    async with Runtime(f"sqlite:///{store}") as runtime:
        run = await (runtime.get("history") if resuming else runtime.start(history, steps, run_id="history"))
        await run.result()


if __name__ == "__main__":
    asyncio.run(main())
