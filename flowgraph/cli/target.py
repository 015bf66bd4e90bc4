"""TARGET: from ``file.py:workflow`` or ``module:workflow`` to the workflow.

A file is loaded as ``python file.py`` would do it: its folder comes first on the path. But it is loaded as a module
with a name of its own, so that ``if __name__ == "__main__"`` does not run and that other processes can import it.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import re
import sys
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from flowgraph.cli.trouble import Trouble
from flowgraph.cli.wording import one_line
from flowgraph.dsl import Workflow

_file = re.compile(r"(?P<place>.+?\.py)(?::(?P<name>.*))?", re.DOTALL)
FORMS = "file.py:workflow or module:workflow"


def load_target(target: str) -> Workflow[..., Any]:
    """Load the workflow that TARGET names; `Trouble` says what is wrong with it."""
    place, name = split_target(target)
    return choose(_load(place), place, name)


def load_workflows(target: str) -> list[Workflow[..., Any]]:
    """Load the workflow that TARGET names, or without a name all that are written in its file or module."""
    place, name = split_target(target)
    module = _load(place)
    workflows = [] if name is not None else list(_workflows(module).values())
    return workflows or [choose(module, place, name)]


def split_target(target: str) -> tuple[str, str | None]:
    """The file or module of a target, and the workflow's name, if there is one.

    >>> split_target("flows/etl.py:daily"), split_target("shop.flows:order"), split_target("etl.py")
    (('flows/etl.py', 'daily'), ('shop.flows', 'order'), ('etl.py', None))
    """
    found = _file.fullmatch(target)
    if found:
        place, name = found["place"], found["name"]
    else:
        place, colon, rest = target.partition(":")
        name = rest if colon else None
    if not place or name == "":
        raise Trouble(f"{target!r} is no target: write {FORMS}.")
    return place, name


# Loading --------------------------------------------------------------------------------------------------------------


def _load(place: str) -> ModuleType:
    return _load_file(Path(place)) if place.endswith(".py") else _load_module(place)


def _load_file(file: Path) -> ModuleType:
    if not file.is_file():
        what = "is a folder, not a file." if file.is_dir() else f"does not exist{_suggested_file(file)}"
        raise Trouble(f"The file {file} {what}")
    file = file.resolve()
    _put_first(str(file.parent))
    name = _module_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise Trouble(f"The file {file} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        raise _failed(str(file), error) from error
    return module


def _module_name(file: Path) -> str:
    """The name by which ``import`` finds the file too; another where that name is taken by another module."""
    name = file.stem
    free = name.isidentifier() and name not in sys.stdlib_module_names and name not in sys.modules
    return name if free else f"_flowgraph_target_{re.sub(r'[^0-9A-Za-z_]', '_', name)}"


def _load_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        hint = f"; did you mean {name}.py?" if Path(f"{name}.py").is_file() else ""
        raise Trouble(f"{name!r} is neither a Python file nor a module's name{hint}: write {FORMS}.")
    _put_first(str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            hint = f" Did you mean {name}.py?" if Path(f"{name}.py").is_file() else ""
            raise Trouble(f"There is no module {error.name!r} here or on the Python path.{hint}") from error
        raise _failed(name, error) from error
    except BaseException as error:
        raise _failed(name, error) from error


def _put_first(folder: str) -> None:
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)


def _suggested_file(file: Path) -> str:
    try:
        names = [other.name for other in file.parent.glob("*.py")]
    except OSError:
        names = []
    close = difflib.get_close_matches(file.name, names, 1)
    return f"; did you mean {file.parent / close[0]}?" if close else "."


def _failed(place: str, error: BaseException) -> BaseException:
    """What to raise when loading raised `error`: our sentence, or an interruption as it is."""
    if isinstance(error, KeyboardInterrupt):
        return error
    what = f"{type(error).__name__}: {one_line(str(error))}" if str(error) else type(error).__name__
    if isinstance(error, SystemExit):
        what = "it ends the program (SystemExit) when it is loaded; put that under `if __name__ == '__main__':`"
    return Trouble(f"{place} cannot be loaded: {what} ({_where(place, error)})")


def _where(place: str, error: BaseException) -> str:
    """Where it happened: the innermost line of the user's own code."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_users(frame.filename)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else place


def _is_users(file: str) -> bool:
    """Tell whether a file is the user's own: no library, no part of Python, nothing of ours."""
    libraries = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return not file.startswith(("<frozen", *libraries, str(Path(__file__).parents[1])))


# Choosing -------------------------------------------------------------------------------------------------------------


def choose(module: ModuleType, place: str, name: str | None) -> Workflow[..., Any]:
    """The workflow of a module that a target names, or its only one."""
    workflows = _workflows(module)
    if name is not None:
        return _named(module, place, name, workflows)
    if not workflows:
        raise Trouble(f"{place} has no workflow. Decorate an `async def` function with @workflow.")
    if len(workflows) > 1:
        first = next(iter(workflows))
        known = ", ".join(workflows)
        raise Trouble(f"{place} has {len(workflows)} workflows: {known}. Say which, for example {place}:{first}.")
    return next(iter(workflows.values()))


def _workflows(module: ModuleType) -> dict[str, Workflow[..., Any]]:
    """The workflows that are written in a module, by their Python names; where there are none, those it imports."""
    found = {name: value for name, value in vars(module).items() if isinstance(value, Workflow)}
    own = {name: value for name, value in found.items() if value.__module__ == module.__name__}
    return _distinct(own or found)


def _distinct(workflows: dict[str, Workflow[..., Any]]) -> dict[str, Workflow[..., Any]]:
    """One workflow may have several Python names; the first counts."""
    names = {id(value): name for name, value in reversed(workflows.items())}
    return {name: value for name, value in workflows.items() if names[id(value)] == name}


def _named(module: ModuleType, place: str, name: str, workflows: dict[str, Workflow[..., Any]]) -> Workflow[..., Any]:
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    if isinstance(value, Workflow):
        return value
    for workflow in workflows.values():
        if workflow.name == name:
            return workflow
    if value is not None:
        raise Trouble(f"{place}:{name} is {_kind(value)}, not a workflow. Decorate it with @workflow.")
    known = f" Its workflows: {', '.join(workflows)}." if workflows else " It has no workflow at all."
    raise Trouble(f"{place} has no {name!r}.{known}")


def _kind(value: object) -> str:
    if isinstance(value, type):
        return "a class"
    return "a function" if callable(value) else f"an object of type {type(value).__name__}"
