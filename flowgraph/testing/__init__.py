"""Public helpers for users' tests: the virtual clock, and crash injection."""

from flowgraph.testing.clock import VirtualClock
from flowgraph.testing.crash import crash_at

__all__ = ["VirtualClock", "crash_at"]
