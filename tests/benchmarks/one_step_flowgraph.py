"""W6: the smallest durable program, timed as a whole process.

python one_step_flowgraph.py STORE
"""

import sys

import flowgraph
from flowgraph import step, workflow


async def greet(name: str) -> str:
    return f"Hello, {name}!"


@workflow
async def greeting(name: str) -> str:
    return await step("greet", greet, name)


assert flowgraph.run(greeting, "world", store=f"sqlite:///{sys.argv[1]}") == "Hello, world!"
