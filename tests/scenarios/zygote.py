"""A process that has flowgraph imported, and forks once per case: a case costs no start of Python.

It reads requests, one JSON object a line, and answers with two lines: the pid of the process that it forked, and, when
that has ended, its exit code (negative for a signal). One zygote has one child at a time.
"""

from __future__ import annotations

import asyncio
import faulthandler
import importlib
import json
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

PRELOADED = (
    "flowgraph.cli", "flowgraph.compiler.units", "flowgraph.dsl", "flowgraph.model.record", "flowgraph.runtime",
    "flowgraph.runtime.records", "flowgraph.runtime.fanout", "flowgraph.runtime.scope", "flowgraph.stores.sqlite",
    "flowgraph.testing", "concurrent.futures.process", "multiprocessing.synchronize",
)  # fmt: skip


def main() -> None:
    for module in PRELOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
        _answer(pid)
        _answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _become(request: dict[str, Any]) -> NoReturn:
    """Be the process that was asked for; its return value goes to a file as JSON."""
    folder, name = Path(request["folder"]), request["name"]
    _redirect(0, Path(os.devnull), os.O_RDONLY)
    _redirect(1, folder / f"{name}.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    _redirect(2, folder / f"{name}.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGUSR1, _explain)
    logging.basicConfig(
        filename=folder / f"{name}.log", level=logging.INFO, format="%(levelname)s %(name)s %(message)s", force=True
    )
    code = 1
    try:
        module, _, function = request["target"].partition(":")
        result = getattr(importlib.import_module(module), function)(**request["arguments"])
        if asyncio.iscoroutine(result):
            result = asyncio.run(result)
        (folder / f"{name}.json").write_text(json.dumps(result))
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(code)


def _explain(*_: object) -> None:
    """Say what all threads and tasks do: somebody has waited too long for this process."""
    faulthandler.dump_traceback()
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        return
    for task in tasks:
        task.print_stack(file=sys.stderr)
    sys.stderr.flush()


def _redirect(descriptor: int, path: Path, flags: int) -> None:
    opened = os.open(path, flags, 0o644)
    os.dup2(opened, descriptor)
    os.close(opened)


if __name__ == "__main__":
    main()
