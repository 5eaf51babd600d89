"""The local cloud: everything Azure and Microsoft 365 give the app, on one machine."""
