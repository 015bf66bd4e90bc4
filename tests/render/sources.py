"""A workflow for every construct that the compiler knows: what every drawing must be able to show."""

from __future__ import annotations

from flowgraph import Graph
from tests.render.pictures import graph_of

BEFORE = """
async def sub(x):
    await step("in", f)
async def both():
    await step("one", f)
    if await step("two", f):
        return
    await step("three", f)
async def deep(x):
    await step("middle", sub)
    try:
        await step("last", f)
    except StepFailed:
        return 1
async def down(n):
    await step(f"down-{n}", f)
    if n:
        await down(n - 1)
    await step(f"up-{n}", f)
async def around(n):
    for m in n:
        await step(f"around-{m}", around, m)
async def pages(n):
    while n:
        yield await step(f"page-{n}", f)
@step("decorated", max_attempts=3)
async def decorated(x):
    await step("in", f)
"""
A, B, C, D = (f'await step("{name}", f)' for name in "abcd")

SOURCES = {
    "nothing": "pass",
    "one after the other": f"{A}\n{B}",
    "if": f"if c:\n    {A}\n{B}",
    "if and else": f"if c:\n    {A}\nelse:\n    {B}\n{C}",
    "elif": f"if c:\n    {A}\nelif n:\n    {B}\nelse:\n    {C}",
    "an if in an if": f"if c:\n    if n:\n        {A}\n    else:\n        {B}\n{C}",
    "a step in a condition": f"if {A}:\n    {B}\n{C}",
    "a conditional expression": f"x = ({A}) if c else ({B})\n{C}",
    "and": f"x = ({A}) and ({B})\n{C}",
    "match": f"match n:\n    case 1:\n        {A}\n    case [2, *_] if c:\n        {B}\n{C}",
    "match with a last case": f"match n:\n    case 1:\n        {A}\n    case _:\n        {B}",
    "for": f"for x in xs:\n    {A}\n{B}",
    "for and else": f"for x in xs:\n    {A}\nelse:\n    {B}\n{C}",
    "async for": f"async for x in xs:\n    {A}\n{B}",
    "while": f"while c:\n    {A}\n{B}",
    "while and else": f"while c:\n    {A}\nelse:\n    {B}",
    "an endless loop": f"while True:\n    {A}\n    if c:\n        break\n{B}",
    "an endless loop without a way out": f"while True:\n    {A}",
    "break and continue": f"for x in xs:\n    if c:\n        continue\n    {A}\n    if n:\n        break\n    {B}\n{C}",
    "break past an else": f"for x in xs:\n    {A}\n    break\nelse:\n    {B}\n{C}",
    "a return in a loop": f"for x in xs:\n    {A}\n    if x:\n        return x\n{B}",
    "loops in loops": f"for x in xs:\n    for y in x:\n        {A}\n        if y:\n            break\n    {B}\n{C}",
    "a comprehension": f"x = [{A} for x in xs]\n{B}",
    "a comprehension in gather": 'await asyncio.gather(*[step(f"a-{x}", f) for x in xs])\n' + B,
    "except": f"try:\n    {A}\n    {B}\nexcept StepFailed:\n    {C}\n{D}",
    "two handlers": f"try:\n    {A}\nexcept StepFailed:\n    {B}\nexcept ValueError as e:\n    {C}\n{D}",
    "else after try": f"try:\n    {A}\nexcept ValueError:\n    {B}\nelse:\n    {C}\n{D}",
    "finally": f"try:\n    {A}\nfinally:\n    {B}\n{C}",
    "all of try": f"try:\n    {A}\nexcept E:\n    {B}\nelse:\n    {C}\nfinally:\n    {D}\nawait step('e', f)",
    "a try in a try": f"try:\n    try:\n        {A}\n    except E:\n        {B}\nexcept F:\n    {C}\n{D}",
    "a try in a handler": f"try:\n    {A}\nexcept E:\n    try:\n        {B}\n    except F:\n        {C}\n{D}",
    "a return through finally": f"try:\n    {A}\n    return\nfinally:\n    {B}\n{C}",
    "except*": f"try:\n    {A}\nexcept* ValueError:\n    {B}\n{C}",
    "a handler that raises again": f"try:\n    {A}\nexcept E:\n    {B}\n    raise\n{C}",
    "a raise to its handler": f"try:\n    {A}\n    raise ValueError\nexcept ValueError:\n    {B}\n{C}",
    "a raise": f"{A}\nif c:\n    raise ValueError\n{B}",
    "an early return": f"{A}\nif c:\n    return 1\n{B}",
    "suppress": f"with contextlib.suppress(ValueError):\n    {A}\n    {B}\n{C}",
    "with": f"with open(n) as file:\n    {A}\n{B}",
    "gather": f"await asyncio.gather(step('a', f), step('b', f))\n{C}",
    "gather of helpers": f"await asyncio.gather(both(), step('p', sub))\n{C}",
    "a task group": f"async with asyncio.TaskGroup() as g:\n    g.create_task(step('a', f))\n    {B}\n{C}",
    "a task": f't = asyncio.create_task(step("a", f))\n{B}\nawait t',
    "a gather in a loop": f"for x in xs:\n    await asyncio.gather(step(f'a-{{x}}', f), step(f'b-{{x}}', f))\n{C}",
    "a helper": f"await both()\n{C}",
    "a step with steps": f"await step('p', sub, 1)\n{B}",
    "steps in steps": f"await step('p', deep, 1)\n{B}",
    "a step with steps at the end of a loop": "for x in xs:\n    await step(f'p-{x}', deep, x)\n" + B,
    "a decorated step": f"await decorated(1)\n{B}",
    "recursion": f"await down(n)\n{B}",
    "recursion through a step": f"await step('top', around, n)\n{B}",
    "a generator with steps": "async for page in pages(n):\n    await step(f'save-{page}', f)\n" + B,
    "map, for each, batch": "await step.map('m', sub, xs, concurrency=5)\nawait step.for_each('e', f, xs)\n"
    "await step.batch('b', f, xs, batch_size=100)",
    "sleeps": "await step.sleep('a', '1d')\nawait step.sleep_until('b', n)",
    "listen": "await step.listen('a', timeout='1h')",
    "children": "await step.execute_workflow('a', other, 1)\nh = await step.start_workflow('b', other)\n"
    "await step.wait_for_workflow('d', h)",
    "progress": f"await step.progress('half')\n{A}",
    "fail and abort": f"{A}\nif c:\n    step.fail(f'no {{n}}')\nelif n:\n    step.abort()\n{B}",
    "fail in a try": f"try:\n    {A}\n    step.fail('no')\nexcept E:\n    {B}",
    "unknown": f"await n()\n{A}\nawait step('x', make(n))",
}


def graph(name: str) -> Graph:
    """The graph of one of the sources."""
    return graph_of(SOURCES[name], BEFORE)
