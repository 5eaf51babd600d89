"""A simulator of Microsoft Graph v1.0, as far as Contact Sync uses it.

It behaves as Microsoft documents, limits, throttling, paging and errors included, and is the judge
of the app, so it is never bent to make the app pass. State is in memory.
"""

from tests.local.graph.server import GraphSettings, create_app

__all__ = ["GraphSettings", "create_app"]
