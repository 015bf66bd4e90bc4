"""What a graph was compiled from: whether it still holds is told from what is loaded, without source."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowgraph.compiler import Compiled, Dependency, compile_loaded, hold
from flowgraph.errors import CompileError

FLOW = """
from flowgraph import step, workflow
from {package} import helpers
from {package}.helpers import PREFIX, page, Steps

s = step

@step("decorated")
async def decorated():
    pass

class Own:
    SUFFIX = "-own"

    async def method(self):
        await step("in-method" + Own.SUFFIX, page)

    @workflow(name="of-class")
    async def flow(self):
        await self.method()

async def local(n=1, own: Own | None = None):
    await step("local", page)

@workflow
async def flow(n: int):
    await s(f"{{PREFIX}}-a", page)
    await helpers.many(n)
    await decorated()
    await Steps.one()
    await local()

def made(name):
    async def inner():
        await step("inner", page)

    @workflow(name=name)
    async def flow():
        await inner()
    return flow
"""
HELPERS = """
from flowgraph import step
from .more import deep
PREFIX = "pre"

async def page():
    return 1

async def many(n):
    for k in range(n):
        await step(f"many-{k}", page)
    await deep()

class Steps:
    @staticmethod
    async def one():
        await step("one", page)
"""
MORE = """
from flowgraph import step

async def deep():
    await step("deep", print)
"""

Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes the package, with changes (old, new), and loads it as a new process would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    package = f"pkg_{tmp_path.name.replace('-', '_')}"

    def loaded(*changes: tuple[str, str]) -> ModuleType:
        folder = tmp_path / package
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("")
        texts = {"flow.py": FLOW.format(package=package), "helpers.py": HELPERS, "more.py": MORE}
        for old, new in changes:
            assert sum(text.count(old) for text in texts.values()) == 1, old
            texts = {name: text.replace(old, new) for name, text in texts.items()}
        for name, text in texts.items():
            (folder / name).write_text(text)
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return importlib.import_module(f"{package}.flow")

    yield loaded
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def compiled(workflow: Any) -> Compiled:
    return compile_loaded(workflow.fn, workflow.name)


def test_a_graph_holds_where_nothing_has_changed(load: Load) -> None:
    found = compiled(load().flow)
    assert [node.path for node in found.graph.steps] == ["pre-a", "many-{k}", "deep", "decorated", "one", "local"]
    assert hold(found.dependencies, load().flow.fn)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('await s(f"{{PREFIX}}-a", page)', 'await s(f"{{PREFIX}}-b", page)'),
        ('PREFIX = "pre"', 'PREFIX = "post"'),
        ('step(f"many-{k}", page)', 'step(f"most-{k}", page)'),
        ('await step("deep", print)', 'await step("deeper", print)'),
        ('@step("decorated")', '@step("adorned")'),
        ('await step("one", page)', 'await step("two", page)'),
        ('await step("local", page)', 'await step("locally", page)'),
        ("from .more import deep", "async def deep():\n    pass"),
        ("s = step\n", "s = step.map\n"),
        ("async def page():", "\nasync def page():"),
        ("async def local(n=1,", "async def local(n=2,"),
        ("own: Own | None", "own: Steps | None"),
        ("async def page():\n    return 1", "async def page():\n    return await step('below', print)"),
    ],
    ids=lambda text: text[:20],
)
def test_a_graph_holds_no_longer_when_something_changes_that_it_was_compiled_from(
    load: Load, old: str, new: str
) -> None:
    found = compiled(load().flow)
    old, new = old.replace("{{", "{").replace("}}", "}"), new.replace("{{", "{").replace("}}", "}")
    assert not hold(found.dependencies, load((old, new)).flow.fn)


def test_methods_and_what_a_function_closes_over_count_too(load: Load) -> None:
    before = load()
    of_class, made = compiled(before.Own.flow), compiled(before.made("m"))
    assert [node.path for node in of_class.graph.steps] == ["in-method-own"]
    assert hold(of_class.dependencies, load().Own.flow.fn)
    assert hold(made.dependencies, load().made("m").fn)
    assert not hold(of_class.dependencies, load(('"in-method"', '"by-method"')).Own.flow.fn)
    assert not hold(of_class.dependencies, load(('SUFFIX = "-own"', 'SUFFIX = "-ours"')).Own.flow.fn)
    assert not hold(made.dependencies, load(('step("inner", page)', 'step("outer", page)')).made("m").fn)


def test_what_the_graph_was_not_compiled_from_may_change(load: Load) -> None:
    found = compiled(load().flow)
    assert hold(found.dependencies, load(("PREFIX = ", "OTHER = 3; PREFIX = ")).flow.fn)


def test_a_module_that_is_not_loaded_cannot_be_compared(load: Load) -> None:
    module = load()
    found = compiled(module.flow)
    del sys.modules[f"{module.__package__}.more"]
    assert not hold(found.dependencies, module.flow.fn)
    assert not hold(compiled(module.flow).dependencies, module.flow.fn)


def test_without_dependencies_nothing_holds(load: Load) -> None:
    assert not hold([], load().flow.fn)
    assert not hold([Dependency("", "", "another edition")], load().flow.fn)


def test_a_function_that_changed_on_disk_since_it_was_loaded_is_not_compiled(load: Load, tmp_path: Path) -> None:
    module = load()
    file = Path(str(module.__file__)).with_name("helpers.py")
    file.write_text(file.read_text().replace("many-", "most-"))
    with pytest.raises(CompileError, match=r"the source of 'helpers\.many' in .* has changed since it was loaded"):
        compiled(module.flow)


def test_the_workflow_itself_must_be_as_it_was_loaded(load: Load) -> None:
    module = load()
    file = Path(str(module.__file__))
    file.write_text(file.read_text().replace("await local()", "await local(7)"))
    with pytest.raises(CompileError, match="its source has changed since it was loaded"):
        compiled(module.flow)


def test_another_process_finds_the_same_digests_without_source(load: Load, tmp_path: Path) -> None:
    """Compiled here; there, only bytecode is left, in another folder."""
    module = load()
    found = compiled(module.flow)
    package = str(module.__package__)
    moved = tmp_path / "moved" / package
    moved.mkdir(parents=True)
    import py_compile

    for file in Path(str(module.__file__)).parent.glob("*.py"):
        py_compile.compile(str(file), cfile=str(moved / f"{file.stem}.pyc"), doraise=True)
    program = f"""
import sys
sys.path.insert(0, {str(moved.parent)!r})
from flowgraph.compiler import Dependency, hold
from {package}.flow import flow
dependencies = [Dependency(*parts) for parts in {[(one.module, one.name, one.digest) for one in found.dependencies]!r}]
print(hold(dependencies, flow.fn), flow.fn.__globals__["__file__"].endswith(".pyc"), "libcst" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["True", "True", "False"]
