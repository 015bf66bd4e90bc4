from __future__ import annotations
import asyncio, threading, random, contextlib
from collections import Counter
from typing import Any
import pytest
from flowgraph import *
from flowgraph.testing import VirtualClock
from tests.runtime.support import *

async def test_step_timeout_over_suspension(clock):
    @workflow
    async def flow() -> str:
        async def approve(): return await step.listen("approval")
        try:
            await step("approve", approve, timeout="1h", max_attempts=1)
        except StepTimeout:
            return "timed out"
        return "x"
    assert await result_of(flow, clock=clock) == "timed out"

async def test_step_timeout_sleep(clock):
    @workflow
    async def flow() -> str:
        async def approve(): await step.sleep("nap", "2h")
        try:
            await step("approve", approve, timeout="1h", max_attempts=1)
        except StepTimeout:
            return "timed out"
        return "x"
    assert await result_of(flow, clock=clock) == "timed out"

async def test_hung_thread_then_sleep(frozen):
    begun, release = threading.Event(), threading.Event()
    def slow():
        begun.set(); release.wait(15)
    @workflow
    async def flow() -> str:
        try:
            await step("slow", slow, timeout="10s", max_attempts=1)
        except StepTimeout: pass
        await step.sleep("nap", "1h")
        return "done"
    try:
        async with opened(flow, clock=frozen) as runtime:
            run = await runtime.start(flow)
            await until(begun.is_set)
            frozen.advance("10s")
            await settle(50)
            for _ in range(5):
                await settle(50)
                await asyncio.sleep(0.05)
                frozen.advance("1h")
            async with asyncio.timeout(3):
                assert await run.result() == "done"
            release.set()
    finally:
        release.set()

async def test_self_cancel():
    tops=[]
    @workflow
    async def flow() -> str:
        tops.append(1)
        if len(tops) > 50: return "looped"
        asyncio.current_task().cancel()
        await asyncio.sleep(0)
        return "x"
    rec = await record_of(flow)
    print(len(tops), rec.status)
    assert rec.status == "failed" and len(tops)==1

async def test_varargs():
    @workflow
    async def flow(a: int, /, b: int = 2, *more: int, c: int = 3, **rest: int) -> list[Any]:
        return [a, b, list(more), c, rest]
    async with opened(flow) as r:
        assert await r.run(flow, 1, 2, 3, 4, c=5, d=6, a=7, run_id="r") == [1,2,[3,4],5,{"d":6,"a":7}]
        assert await r.run(flow, 1, 2, 3, 4, a=7, d=6, c=5, run_id="r") == [1,2,[3,4],5,{"d":6,"a":7}]

async def test_deep():
    async def descend(n):
        return step.info().path.count("/") if n == 0 else await step("x"*500, descend, n-1)
    @workflow
    async def flow() -> int:
        r = await step("top", descend, 60)
        await step.sleep("nap", "1h")
        return r
    assert await result_of(flow) == 60

@pytest.mark.parametrize("seed", range(5))
async def test_stress_events(seed):
    rnd = random.Random(seed)
    @workflow
    async def flow() -> list[Any]:
        return [await step.listen(f"w{n}", event="e") for n in range(40)]
    async with opened(flow) as r:
        run = await r.start(flow)
        for n in range(40):
            for _ in range(rnd.choice([0,0,1,2,3,5,10,30])): await asyncio.sleep(0)
            if rnd.random()<.2: await asyncio.sleep(0.002)
            await run.send("e", n)
        assert await run.result() == list(range(40))

async def test_stress_children():
    @workflow
    async def child(n: int) -> int:
        if n % 3 == 0: await step.sleep("nap", "1h")
        return n
    @workflow
    async def flow() -> int:
        t = 0
        for n in range(40): t += await step.execute_workflow(f"c{n}", child, n)
        return t
    assert await result_of(flow, also=(child,)) == sum(range(40))

@pytest.mark.parametrize("seed", range(8))
async def test_stress_cancel(seed):
    rnd = random.Random(seed)
    @workflow
    async def flow() -> None:
        for n in range(100):
            await step(f"s{n}", nothing)
            await step.listen(f"l{n}", event="e", timeout="1d")
    async with opened(flow, clock=VirtualClock(autojump=False)) as r:
        run = await r.start(flow)
        for _ in range(rnd.randrange(60)):
            await asyncio.sleep(0)
            if rnd.random() < .3: await run.send("e")
        await run.cancel()
        assert await ended(run) == "cancelled"

async def test_resident_event_and_child():
    @workflow
    async def child() -> str:
        return await step.listen("go")
    @workflow
    async def flow() -> list[Any]:
        ev = asyncio.Event()
        async def a():
            r = await step.listen("e"); ev.set(); return r
        async def b():
            return await step.execute_workflow("c", child)
        t = [asyncio.create_task(a()), asyncio.create_task(b())]
        await ev.wait()
        ev2 = asyncio.Event()
        t[1].add_done_callback(lambda _: ev2.set())
        await ev2.wait()
        return [await x for x in t]
    async with opened(flow, child) as r:
        run = await r.start(flow)
        async def why(): return bool((await run.describe()).reason)
        await until(why)
        c = [x for x in await r.list() if x.workflow=="child"][0]
        ch = await r.get(c.id)
        await reached(ch, "listening")
        await run.send("e", 1)
        await settle(50)
        await ch.send("go", "went")
        assert await run.result() == [1, "went"]

@pytest.mark.parametrize("nap", [False, True])
async def test_worker_pool_queue(store, nap):
    bodies = Counter(); seen=[]
    @workflow
    async def flow() -> list[int]:
        q: asyncio.Queue[int] = asyncio.Queue()
        out = {}
        async def work(n): bodies[n]+=1; return n*n
        async def worker():
            while True:
                n = await q.get()
                try:
                    if nap and n % 5 == 0: await step.sleep(f"nap{n}", "1h")
                    out[n] = await step(f"w{n}", work, n)
                finally: q.task_done()
        for n in range(20): q.put_nowait(n)
        ws = [asyncio.create_task(worker()) for _ in range(3)]
        await q.join()
        for w in ws: w.cancel()
        await asyncio.gather(*ws, return_exceptions=True)
        seen.append(list(out))
        await step.sleep("end", "1h")
        return [out[n] for n in range(20)]
    assert await result_of(flow, store=store) == [n*n for n in range(20)]
    assert set(bodies.values())=={1}
    assert all(s==seen[0] for s in seen), seen

async def test_semaphore_gather():
    seen=[]; bodies=Counter()
    @workflow
    async def flow() -> None:
        sem = asyncio.Semaphore(3); order=[]
        async def work(n):
            bodies[n]+=1
            for _ in range(n%4): await asyncio.sleep(0)
            return n
        async def one(n):
            async with sem:
                order.append(("b",n))
                await step(f"s{n}", work, n)
                order.append(("e",n))
        await asyncio.gather(*(one(n) for n in range(20)))
        seen.append(order)
        await step.sleep("nap","1h")
    await result_of(flow)
    assert seen[0]==seen[1]
    assert set(bodies.values())=={1}

async def test_spinning_foreign_task():
    spin=[]
    @workflow
    async def flow() -> str:
        async def spinning():
            while True: await asyncio.sleep(0)
        t = asyncio.create_task(spinning()); spin.append(t)
        try:
            rs = [await step(f"s{n}", lambda n=n: n) for n in range(5)]
            rs += await asyncio.gather(*(step(f"g{n}", lambda n=n: n) for n in range(5)))
            await step.sleep("nap", "1h")
        finally:
            t.cancel()
        return str(rs)
    await result_of(flow)
