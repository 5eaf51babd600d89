"""A simulator of Microsoft Graph v1.0, limited to what Contact Sync uses.

It behaves as Microsoft documents, including limits, throttling, paging and errors. It is the
reference for the app, so it never changes to make the app pass. State is in memory.
"""

from tests.local.graph.server import GraphSettings, create_app

__all__ = ["GraphSettings", "create_app"]
