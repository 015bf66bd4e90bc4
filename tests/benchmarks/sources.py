"""A tree of Python files such as a company might have, the same for the same numbers: a few have workflows.

Written by hand in pieces, and put together by a seeded generator, so that the files differ in what they have and how
long it is. Workflow files use most of the language: decorated steps, helpers of other files, loops, branches, `try`,
fan-out, gather, sleeps and children.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

LINES_PER_FILE = 250
FILES_PER_PACKAGE = 40
WORKFLOW_FILES_PER_PACKAGE = 5
NOUNS = """order invoice parcel customer ledger quote refund tariff route vehicle driver depot pallet label carrier
claim ticket account budget forecast batch sensor reading alarm meter tenant contract payment receipt voucher""".split()
VERBS = "load store check merge split price plan send print close open audit rate pack scan sort count move".split()


def make_tree(folder: Path, files: int, workflow_files: int, seed: int = 1) -> list[Path]:
    """Write the files, and return those that have to do with workflows.

    The files lie in packages, which share a few functions. One in so many packages has workflows, with the steps that
    these share in a file of their own.
    """
    chance = random.Random(seed)
    packages = files // FILES_PER_PACKAGE
    every = packages * WORKFLOW_FILES_PER_PACKAGE // workflow_files if workflow_files else packages + 1
    made: list[Path] = []
    for number in range(packages):
        place = folder / f"area_{number:03}"
        place.mkdir(parents=True)
        (place / "__init__.py").write_text('"""One area."""\n')
        (place / "shared.py").write_text(SHARED)
        if number % every == every - 1:
            made += _write(place, chance, WORKFLOW_FILES_PER_PACKAGE - 1, workflow_file)
            (place / "telling.py").write_text(TELLING)
            made.append(place / "telling.py")
        _write(place, chance, FILES_PER_PACKAGE - len(list(place.iterdir())), plain_file)
    return made


def _write(place: Path, chance: random.Random, count: int, maker: Callable[[random.Random], str]) -> list[Path]:
    taken = len(list(place.iterdir()))
    files = [place / f"{chance.choice(VERBS)}_{chance.choice(NOUNS)}_{taken + number}.py" for number in range(count)]
    for file in files:
        file.write_text(maker(chance))
    return files


def plain_file(chance: random.Random, lines: int = LINES_PER_FILE) -> str:
    """A file that has nothing to do with workflows."""
    head = f'"""What {chance.choice(NOUNS)}s need."""\n\n{IMPORTS}\n\n'
    return head + _pieces(chance, [a_class, a_function, a_parser, some_constants], lines - head.count("\n"))


def workflow_file(chance: random.Random, lines: int = LINES_PER_FILE) -> str:
    """A file with one or two workflows, their handlers, and what else such files have."""
    head = f'"""How a {chance.choice(NOUNS)} goes through."""\n\n{IMPORTS}\n{WORDS}\n\n'
    flows = "".join(a_workflow(chance, number) for number in range(chance.randint(1, 2)))
    rest = lines - head.count("\n") - flows.count("\n")
    return head + _pieces(chance, [a_class, a_function, some_constants], rest) + flows


def one_workflow_file(chance: random.Random, lines: int) -> str:
    """A file of that many lines with exactly one workflow."""
    head = f'"""One long file."""\n\n{IMPORTS}\n{WORDS}\n\n'
    flow = a_workflow(chance, 0)
    rest = lines - head.count("\n") - flow.count("\n")
    return head + _pieces(chance, [a_class, a_function, a_parser, some_constants], rest) + flow


def _pieces(chance: random.Random, makers: list[Callable[[random.Random, int], str]], lines: int) -> str:
    def pieces() -> Iterator[str]:
        count, number = 0, 0
        while count < lines:
            piece = chance.choice(makers)(chance, number)
            count, number = count + piece.count("\n"), number + 1
            yield piece

    return "".join(pieces())


# Pieces ---------------------------------------------------------------------------------------------------------------

IMPORTS = """\
from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .shared import chunks, normalised

logger = logging.getLogger(__name__)
"""

WORDS = """\
from flowgraph import RetryPolicy, StepFailed, step, workflow

from .telling import notify_all
"""

SHARED = '''\
"""What the files of this area share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def normalised(text: str) -> str:
    return " ".join(text.lower().split())


def chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
'''

TELLING = '''\
"""Steps that the workflows of this area share."""

from __future__ import annotations

from flowgraph import step


async def send_mail(address: str, text: str) -> None:
    print(address, text)


async def notify_all(addresses: list[str], text: str) -> None:
    """Called by workflows."""
    for number, address in enumerate(addresses):
        await step(f"notify-{number}", send_mail, address, text)
'''


def a_class(chance: random.Random, number: int) -> str:
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(VERBS)
    name = f"{noun.title()}{number}"
    fields = "".join(f"            {each}: int = {chance.randint(0, 99)}\n" for each in chance.sample(NOUNS, 4))
    return _text(
        f'''
        @dataclass
        class {name}:
            """A {noun} as the {chance.choice(NOUNS)} service has it."""

            key: str
            created: datetime
{fields}            lines: list[dict[str, Any]] = field(default_factory=list)

            @property
            def total(self) -> float:
                return sum(line["amount"] * line.get("price", 1.0) for line in self.lines)

            def {verb}(self, limit: int = {chance.randint(1, 50)}) -> list[str]:
                """{verb.title()} at most so many lines, the newest first."""
                found = []
                for line in sorted(self.lines, key=lambda line: line["at"], reverse=True):
                    if line["amount"] > limit or not line.get("{chance.choice(NOUNS)}"):
                        continue
                    found.append(f"{{line['key']}}: {{line['amount']:.2f}}")
                    if len(found) >= limit:
                        break
                return found

            async def {other}_later(self, delay: float) -> None:
                # Nobody waits for this one.
                await asyncio.sleep(delay)
                try:
                    Path(self.key).write_text(json.dumps(self.lines))
                except OSError as error:
                    logger.warning("could not {other} %s: %s", self.key, error)


        '''
    )


def a_function(chance: random.Random, number: int) -> str:
    noun, verb = chance.choice(NOUNS), chance.choice(VERBS)
    return _text(
        f'''
        def {verb}_{noun}_{number}(rows: list[dict[str, Any]], *, since: datetime | None = None) -> dict[str, float]:
            """Sum up the rows by {noun}.

            Rows without a {noun} are counted under "other"; a refund counts {chance.randint(2, 9)} times.
            """
            sums: dict[str, float] = {{}}
            for row in rows:
                if since is not None and row["at"] < since - timedelta(days={chance.randint(1, 30)}):
                    continue
                key = normalised(row.get("{noun}") or "other")
                amount = row["amount"] if row["amount"] >= 0 else row["amount"] * {chance.randint(2, 9)}
                sums[key] = sums.get(key, 0.0) + amount
            if not sums:
                logger.info("nothing to {verb} in %d rows", len(rows))
            return {{key: round(value, 2) for key, value in sums.items() if value}}


        '''
    )


def a_parser(chance: random.Random, number: int) -> str:
    noun = chance.choice(NOUNS)
    return _text(
        f'''
        def parse_{noun}_{number}(text: str) -> tuple[str, list[int]]:
            head, _, rest = text.partition(":")
            match head.strip().split():
                case ["{noun}", key]:
                    return key, [int(part) for part in rest.split(",") if part.strip().isdigit()]
                case ["{chance.choice(VERBS)}", *keys] if keys:
                    return " ".join(keys), []
                case _:
                    raise ValueError(f"no {noun}: {{text!r}}")


        '''
    )


def some_constants(chance: random.Random, number: int) -> str:
    rows = "".join(
        f'            "{chance.choice(NOUNS)}-{row}": ({chance.randint(1, 999)}, "{chance.choice(VERBS)}"),\n'
        for row in range(chance.randint(4, 16))
    )
    return _text(f"\n        TABLE_{number} = {{\n{rows}        }}\n\n\n        ")


def a_workflow(chance: random.Random, number: int) -> str:
    (noun, other), verb = chance.sample(NOUNS, 2), chance.choice(VERBS)
    name = f"{verb}_{noun}_{chance.randrange(10**6)}"
    return _text(
        f'''
        async def fetch_{number}(key: str) -> dict[str, Any]:
            return {{"key": key, "rows": list(range({chance.randint(3, 30)}))}}


        def {verb}_{number}(row: Any) -> str:
            return normalised(str(row))


        @step("save-{noun}", max_attempts={chance.randint(2, 9)})
        async def save_{number}(rows: list[str]) -> int:
            return len(rows)


        async def total_{number}(rows: list[str]) -> int:
            counts = await asyncio.gather(step("count-{noun}", len, rows), step("count-{other}", len, rows))
            return sum(counts)


        @workflow(timeout="{chance.randint(1, 9)}h")
        async def {name}(key: str, addresses: list[str], urgent: bool = False) -> int:
            """{verb.title()} one {noun}, and tell everybody."""
            found = await step("fetch", fetch_{number}, key, retry=RetryPolicy(max_attempts=3))
            rows = await step.map("{verb}", {verb}_{number}, found["rows"], concurrency={chance.randint(2, 20)})
            if urgent:
                await step("hurry", print, key)
            elif len(rows) > {chance.randint(5, 50)}:
                await step.sleep("let-it-cool", "{chance.randint(1, 50)}m")
            else:
                await step.progress("small", done=len(rows), total=len(rows))
            for position, row in enumerate(rows):
                if not row:
                    continue
                await step(f"check-{{position}}", {verb}_{number}, row)
            try:
                total = await total_{number}(rows)
                await save_{number}(rows)
            except StepFailed as error:
                await step("apologise", print, error.path)
                return 0
            answer = await step.listen("approval", timeout="2d")
            while answer is None:
                logger.info("no answer for %s", key)
                break
            await notify_all(addresses, f"{noun} {{key}} is done")
            return total


        '''
    )


def _text(piece: str) -> str:
    return dedent(piece).removeprefix("\n")
