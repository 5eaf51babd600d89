"""The local cloud: what Azure and Microsoft 365 provide to the app, on one machine."""
