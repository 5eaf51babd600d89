"""The portal's pages and forms, over HTTP."""
