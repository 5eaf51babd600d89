"""The portal as people meet it: in a real browser, against the local cloud."""
