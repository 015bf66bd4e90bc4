"""The door of the package: its names, and what opening it costs."""

import importlib
import importlib.metadata
import subprocess
import sys
from typing import get_args, get_type_hints

import pytest

import flowgraph
from flowgraph import errors

HEAVY = ["libcst", "networkx", "graphviz", "attr", "attrs", "msgspec", "asyncio", "sqlite3"]
FROM_DESIGN = """
    Runtime Client Worker Run run step workflow Workflow RetryPolicy StepInfo RunStatus RunQuery RunRecord StepRecord
    ItemFailure FlowgraphError DefinitionError InvalidName CompileError UnplannedStep StepError StepFailed StepTimeout
    ListenTimeout ChildFailed ItemsChanged DuplicateStep RunFinished NotInWorkflow InvalidOption MapFailed
    SerializationError PayloadTooLarge RunNotFound RunExists WorkflowNotFound RunFailed RunAborted RunCancelled
    RunTimedOut StoreError StoreUnavailable SchemaMismatch LeaseLost NonRetryable RetryAfter
"""


def loaded_after(statement: str) -> list[str]:
    """Which heavy packages a fresh interpreter has loaded after `statement`."""
    code = f"import sys\n{statement}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return eval(done.stdout)


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_after("import flowgraph; dir(flowgraph)") == []


def test_writing_workflows_loads_no_store_and_no_compiler():
    loaded = loaded_after("from flowgraph import NonRetryable, RetryPolicy, step, workflow")
    assert not {"libcst", "networkx", "graphviz", "sqlite3", "asyncio"} & set(loaded)


@pytest.mark.parametrize("name", flowgraph.__all__)
def test_every_public_name_resolves(name):
    assert getattr(flowgraph, name) is not None
    assert name in dir(flowgraph)


def test_the_names_of_the_design_are_public():
    assert set(FROM_DESIGN.split()) <= set(flowgraph.__all__)


def test_every_error_is_public():
    every = {
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert every <= set(flowgraph.__all__)


def test_the_public_names_are_sorted():
    assert flowgraph.__all__ == sorted(flowgraph.__all__)


def test_a_star_import_gives_the_public_names():
    namespace = {}
    exec("from flowgraph import *", namespace)
    assert set(flowgraph.__all__) <= set(namespace)


def test_a_worker_has_the_options_of_a_runtime():
    options = get_args(get_type_hints(flowgraph.Worker.__init__)["options"])[0]
    of_runtime = get_type_hints(flowgraph.Runtime.__init__)
    assert get_type_hints(options) == {name: of_runtime[name] for name in of_runtime.keys() - {"store", "return"}}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'flowgraph' has no attribute 'Workflw'"):
        flowgraph.Workflw
    with pytest.raises(ImportError, match="cannot import name 'Workflw'"):
        exec("from flowgraph import Workflw")


def test_the_version_is_that_of_the_distribution():
    assert flowgraph.__version__ == importlib.metadata.version("flowgraph")


def test_submodules_are_not_hidden_by_the_lazy_names():
    for room in ("dsl", "errors", "model"):
        assert importlib.import_module(f"flowgraph.{room}").__name__ == f"flowgraph.{room}"
