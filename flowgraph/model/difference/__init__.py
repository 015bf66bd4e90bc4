"""What a change of the code means for runs in flight: two graphs compared, and the verdict for each open run.

`outline` is a graph as the tree of its steps, `pairing` finds which steps of two outlines are the same (`likeness`),
`changes` says what became of them (`option_changes`, `conditions`, `reordering`), and `comparison` puts it together.
`hazard` looks at one run by what it has done (`observed`).
"""

from flowgraph.model.difference.changes import Change
from flowgraph.model.difference.comparison import Difference, difference, differences
from flowgraph.model.difference.hazard import Hazards
from flowgraph.model.difference.observed import Done, OpenRun

__all__ = ["Change", "Difference", "Done", "Hazards", "OpenRun", "difference", "differences"]
