"""FG201 over several files: a step is inside a workflow if any of the checked files has one that may come to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowgraph.compiler import Project, Unit
from flowgraph.lint.module import Module
from flowgraph.lint.rules.step_outside_workflow import StepOutsideWorkflow
from flowgraph.lint.settings import Settings

FLOW = """
from flowgraph import workflow
{imports}

@workflow
async def flow(name):
    {body}
"""
CHARGE = """
from flowgraph import step

async def charge():
    await step("charge", print)

class Ledger:
    async def book(self):
        await step("book", print)
"""


def found(folder: Path, files: dict[str, str], *checked: str) -> list[str]:
    """Write files and check them, or only some; what is found, as file:line."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    rule = StepOutsideWorkflow()
    facts = {
        name: rule.facts(Module(Unit((folder / name).read_text(), name, Project()), Settings()))
        for name in checked or files
    }
    return sorted(f"{one.path}:{one.line}" for one in rule.conclude(facts))


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        ("from charge import charge, Ledger", "await charge(); await Ledger().book()"),
        ("import charge as money", "await money.charge(); await money.Ledger().book()"),
        ("from charge import charge as pay, Ledger as Book", "await pay(); Book()"),
        ("from charge import charge, Ledger\nTABLE = {'a': charge, 'b': Ledger}", "await TABLE[name]()"),
        ("import charge", "await getattr(charge, 'charge')(); await name.book()"),
    ],
)
def test_a_step_is_reached_through_the_names_of_another_file(tmp_path: Path, imports: str, body: str) -> None:
    files = {"charge.py": CHARGE, "flow.py": FLOW.format(imports=imports, body=body)}
    assert found(tmp_path, files) == []


def test_a_step_that_the_other_file_does_not_mention_is_reported(tmp_path: Path) -> None:
    files = {"charge.py": CHARGE, "flow.py": FLOW.format(imports="from charge import charge", body="await charge()")}
    assert found(tmp_path, files) == ["charge.py:9"]


def test_names_lead_through_a_file_that_is_not_checked_itself(tmp_path: Path) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/charge.py": CHARGE,
        "shop/tables.py": "from .charge import charge, Ledger\nTABLE = [charge, Ledger]\n",
        "shop/flow.py": FLOW.format(imports="from shop.tables import TABLE", body="await TABLE[0]()"),
    }
    assert found(tmp_path, files, "shop/charge.py", "shop/flow.py") == []
    assert found(tmp_path, files, "shop/charge.py") == ["shop/charge.py:5", "shop/charge.py:9"]


def test_functions_of_one_name_in_two_files_are_told_apart(tmp_path: Path) -> None:
    main = 'import asyncio\nfrom flowgraph import step\n\nasync def main():\n    await step("a", print)\n'
    main += "\nasyncio.run(main())\n"
    flow = FLOW.format(imports="import asyncio", body="await main(); asyncio.run(print)\n\nasync def main(): ...")
    assert found(tmp_path, {"script.py": main, "flow.py": flow}) == ["script.py:5"]


def test_facts_hold_when_all_files_are_moved(tmp_path: Path) -> None:
    """They are kept in a cache, which may be restored elsewhere."""
    rule = StepOutsideWorkflow()
    flow = FLOW.format(imports="from charge import charge, Ledger", body="await charge(); Ledger()")
    found(tmp_path, {"charge.py": CHARGE, "flow.py": flow})
    facts = {
        f"elsewhere/{name}": rule.facts(Module(Unit(Path(name).read_text(), name, Project()), Settings()))
        for name in ("charge.py", "flow.py")
    }
    assert list(rule.conclude(facts)) == []
