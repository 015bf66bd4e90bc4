"""FG402."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowgraph.lint.analysis.origins import shown
from flowgraph.lint.analysis.outside import outside
from flowgraph.lint.analysis.reach import Spot, spots_of
from flowgraph.lint.rule import Rule

if TYPE_CHECKING:
    from flowgraph.lint.module import Module
    from flowgraph.model.diagnostic import Diagnostic


class IoOutsideStep(Rule):
    """The body of a workflow reads or writes files, networks, databases or other programs.

    ## What it does

    Looks for calls that reach outside the process, in the function of a workflow and in the functions that it calls:
    `open`, `requests`, `httpx`, `subprocess`, `sqlite3`, methods of `Path`, `time.sleep` and others. Handlers of steps
    may call them. `print` and logging are not among them. `extend-io` in the settings names further modules and
    functions of yours.

    ## Why is this bad?

    The function runs again from the top after each suspension and each crash: a request is made again, a file has other
    content by then. In a step it is done once, tried again when it fails, and its result is saved.

    ## Example

    ```python
    rates = httpx.get(url).json()
    ```

    ## Use instead

    ```python
    def fetch_rates(url: str) -> dict[str, float]:
        return httpx.get(url).json()

    rates = await step("fetch-rates", fetch_rates, url)
    ```
    """

    code = "FG402"
    name = "io-outside-step"
    severity = "warning"
    VALID = (
        """
        import logging
        import os
        import subprocess
        from functools import partial
        from pathlib import Path

        import httpx
        import requests

        def fetch(url: str) -> str:
            with open("cache") as file:
                return requests.get(url).text + file.read()

        @step("list")
        def listed() -> list[str]:
            return os.listdir()

        @workflow
        async def flow(url: str, path: Path) -> None:
            await step("fetch", fetch, url)
            await step("get", requests.get, url)
            await step("run", partial(subprocess.run, ["ls"]))
            await step("read", path.read_text)
            await step("lambda", lambda: open(url).read())
            await listed()
            print(url)
            logging.info("at %s", url)
            client = httpx.AsyncClient()
            httpx.Timeout(5)
            path.with_suffix(".txt").name.upper()
            (path / "x").as_posix()
            os.path.join(url, "x")
        """,
        """
        # Names of its own.
        def open(path: str) -> str:
            return path

        class requests:
            @staticmethod
            def get(url: str) -> str:
                return url

        @workflow
        async def flow(path: str, httpx: object, input: object) -> None:
            open(path)
            requests.get(path)
            httpx.get(path)
            input()

        def main() -> None:
            import subprocess
            subprocess.run(["ls"])
        """,
    )
    INVALID = (
        """
        import os
        import shutil
        import sqlite3
        import subprocess
        import time
        import urllib.request
        from pathlib import Path
        from subprocess import run as launch

        import httpx as h
        import requests
        from requests import post

        @workflow
        async def flow(url: str, path: Path, connection: "sqlite3.Connection", name: str | None = None) -> None:
            with open("file") as file:  # FG402
                file.read()
            requests.get(url).json()  # FG402
            post(url)  # FG402
            h.get(url)  # FG402
            async with h.AsyncClient() as client:
                await client.get(url)  # FG402
            session = requests.Session()
            session.post(url)  # FG402
            subprocess.run(["ls"])  # FG402
            launch(["ls"])  # FG402
            os.remove("x")  # FG402
            shutil.rmtree("x")  # FG402
            sqlite3.connect("x").execute("SELECT 1")  # FG402
            connection.execute("SELECT 1")  # FG402
            urllib.request.urlopen(url)  # FG402
            Path("x").read_text()  # FG402
            (path / "y").write_text("z")  # FG402
            path.parent.mkdir()  # FG402
            await asyncio.to_thread(requests.get, url)  # FG402
            await asyncio.get_running_loop().run_in_executor(None, requests.get, url)  # FG402
            await step("a", work, requests.get(url))  # FG402
            time.sleep(1)  # FG402
            await asyncio.create_subprocess_exec("ls")  # FG402
            [open(one) for one in ("a", "b")]  # FG402
        """,
        """
        import aiohttp

        async def fetch(url: str) -> str:
            async with aiohttp.ClientSession() as session:
                async with session.get(url) as response:  # FG402
                    return await response.text()

        @workflow
        async def flow(urls: list[str]) -> None:
            pages = await asyncio.gather(*(fetch(url) for url in urls))
            await step("store", work, pages)
        """,
    )

    def check(self, module: Module) -> Iterator[Diagnostic]:
        """What the bodies of the file's workflows call, in this file and in others."""
        found: list[Diagnostic] = []
        for workflow, spot in spots_of(module):
            if isinstance(spot.node, ast.Call):
                name = outside(spot.node, spot.names, module.settings.extend_io)
                if name is not None:
                    found.append(self._outside(workflow, spot, spot.node))
        yield from sorted(found, key=lambda one: (one.path, one.line, one.column))

    def _outside(self, workflow: str, spot: Spot, node: ast.Call) -> Diagnostic:
        where = f", through {spot.function.name}()," if spot.chain else ""
        text = shown(node.func)
        return self.found(
            spot.unit, node, f"{text}() in the body of workflow {workflow!r}{where} runs again at every replay",
            help=_help(text, node), workflow=workflow, related=spot.reasons(),
        )  # fmt: skip


def _help(text: str, node: ast.Call) -> str:
    if text.rpartition(".")[2] == "sleep" and len(node.args) == 1:
        return f'Wait with `await step.sleep("…", {ast.unparse(node.args[0])})`, which is saved and blocks nothing.'
    return f"Call {text}() in the handler of a step, and return from it what the workflow needs."
