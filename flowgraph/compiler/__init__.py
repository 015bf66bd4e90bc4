"""From source text to graphs: what a workflow may do, without running any of it.

Theory. A function becomes a tree of regions (`regions`): LibCST reads it, and `translation` walks its statements and
expressions in the order in which Python does. What a name means is said by `bindings`, where a node is by `places`.
`drafting` turns the tree into a graph of nodes and edges. Helpers are translated once and drawn at each of their calls;
`units` follows names to the other files of a project. Only functions that workflows reach are read by LibCST, the rest
of a file only by ``ast``.
"""

from flowgraph.compiler.compiling import compile_file, compile_function, compile_source

__all__ = ["compile_file", "compile_function", "compile_source"]
