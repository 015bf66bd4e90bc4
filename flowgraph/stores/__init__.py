"""Durable state: the journal, and the stores behind it. The only users of database drivers."""

from __future__ import annotations

from flowgraph.stores.journal import Durability, Journal
from flowgraph.stores.url import open_store, store_file

__all__ = ["Durability", "Journal", "open_store", "store_file"]
