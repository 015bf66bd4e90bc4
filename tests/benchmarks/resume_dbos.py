"""W4 for DBOS; see resume_flowgraph.py.

python resume_dbos.py STORE STEPS SPAWNED_NS
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from dbos import DBOS, SetWorkflowID

began_ns = 0


@DBOS.step()
async def trivial(number: int) -> int:
    return number


@DBOS.step()
async def next_new_step(spawned_ns: int) -> None:
    now_ns = time.monotonic_ns()
    print(f'{{"recovery_s": {(now_ns - began_ns) / 1e9}, "from_spawn_s": {(now_ns - spawned_ns) / 1e9}}}', flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


@DBOS.workflow()
async def history(steps: int) -> None:
    for number in range(steps):
        await trivial(number)
    await next_new_step(int(sys.argv[3]))


async def main() -> None:
    global began_ns
    store, steps = Path(sys.argv[1]), int(sys.argv[2])
    resuming = store.exists()
    began_ns = time.monotonic_ns()
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{store}", "log_level": "ERROR"})
    DBOS.launch()
    if resuming:
        handle = await DBOS.retrieve_workflow_async("history")
    else:
        with SetWorkflowID("history"):
            handle = await DBOS.start_workflow_async(history, steps)
    await handle.get_result()


if __name__ == "__main__":
    asyncio.run(main())
