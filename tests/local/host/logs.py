"""How host and worker log: to the error output, which is one file for both."""

import logging


def log_to_stderr() -> None:
    """Log from INFO; what the Azure SDK and HTTP clients say, from WARNING."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("azure", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
