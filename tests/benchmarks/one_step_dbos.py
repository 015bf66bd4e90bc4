"""W6 for DBOS: the smallest durable program, timed as a whole process.

python one_step_dbos.py STORE
"""

import asyncio
import sys

from dbos import DBOS


@DBOS.step()
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@DBOS.workflow()
async def greeting(name: str) -> str:
    return await greet(name)


async def main() -> None:
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{sys.argv[1]}", "log_level": "ERROR"})
    DBOS.launch()
    handle = await DBOS.start_workflow_async(greeting, "world")
    assert await handle.get_result() == "Hello, world!"
    DBOS.destroy()


asyncio.run(main())
