"""The portal in a real browser, against the local cloud."""
