"""What users write: `workflow` and `step`.

It checks what it is given and hands it to the scope of the run, a protocol in ``model``; it executes nothing.
"""

from flowgraph.dsl._handlers import function_of, is_async
from flowgraph.dsl._options import StepOptionsDict, checked_event, checked_run_id
from flowgraph.dsl.decorated import Step
from flowgraph.dsl.portable import portable
from flowgraph.dsl.registry import find, names
from flowgraph.dsl.step import step
from flowgraph.dsl.table import WorkflowTable, registered, table_of
from flowgraph.dsl.workflow import RESERVED, Workflow, workflow

__all__ = [
    "RESERVED",
    "Step",
    "StepOptionsDict",
    "Workflow",
    "WorkflowTable",
    "checked_event",
    "checked_run_id",
    "find",
    "function_of",
    "is_async",
    "names",
    "portable",
    "registered",
    "step",
    "table_of",
    "workflow",
]
