"""The runtime: it executes runs, starts them, and asks for them."""

from flowgraph.runtime.client import Client, Run
from flowgraph.runtime.clock import Clock, SystemClock, Timer
from flowgraph.runtime.runtime import Runtime, Worker
from flowgraph.runtime.settings import DEFAULT_STORE, store_url
from flowgraph.runtime.starting import run

__all__ = ["DEFAULT_STORE", "Client", "Clock", "Run", "Runtime", "SystemClock", "Timer", "Worker", "run", "store_url"]
