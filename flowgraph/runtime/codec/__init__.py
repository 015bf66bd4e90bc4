"""Values to JSON text and back, exactly or not at all: results, arguments and events."""

from flowgraph.runtime.codec.callables import return_annotation
from flowgraph.runtime.codec.values import (
    Unfit,
    Unsaveable,
    dump,
    dump_arguments,
    load,
    load_arguments,
)

__all__ = ["Unfit", "Unsaveable", "dump", "dump_arguments", "load", "load_arguments", "return_annotation"]
