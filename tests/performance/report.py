"""What was measured, as a table and as plots in build/."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from rich.console import Console
from rich.table import Table

from tests.performance.counts import allowed
from tests.performance.pages import MOST_RATIO
from tests.performance.portal import MOST_BYTES

mpl.use("Agg")


def table(measured: dict[str, Any]) -> Table:
    """Every figure with its limit."""
    made = Table(title="Contact Sync, measured", title_justify="left")
    for name in ("what", "of", "measured", "at most"):
        made.add_column(name, justify="left" if name in {"what", "of"} else "right")
    for kind in ("idle_requests", "fill_requests", "change_requests"):
        for size, requests in measured.get(kind, {}).items():
            made.add_row(kind, size, str(requests), str(allowed(kind, size)))
    for size, requests in measured.get("resolution_requests", {}).items():
        made.add_row("resolution_requests", size, str(requests), str(-(-int(size) // 100)))
    limits = {
        "fill_limit_ratio": "1.15",
        "per_contact_ratio": "1.3",
        "throttled": "0",
        "most_at_once": "4",
        "slow_callbacks": "0",
        "memory_mb": "",
        "idle_table_operations": "0.25",
        "idle_messages": "0.05",
        "idle_http_requests": "0.05",
        "idle_cpu_ms": "",
        "bare_cpu_ms": "",
        "idle_cpu_ratio": "2",
        "changed_table_operations": "10",
    }
    for name, most in limits.items():
        if name in measured:
            made.add_row(name, "", str(measured[name]), most)
    for group in ("cold_start", "libraries", "day_of_a_million"):
        for name, value in measured.get(group, {}).items():
            made.add_row(group, name, str(value), "")
    for way, days in measured.get("naive", {}).items():
        for day, cost in days.items():
            ratio = f" ({cost['requests_ratio']} x ours)" if "requests_ratio" in cost else ""
            slower = f", {cost['time_ratio']} x the time" if "time_ratio" in cost else ""
            made.add_row(f"naive: {way}", day, f"{cost['requests']} requests{ratio}{slower}", "")
    for page, cost in measured.get("portal", {}).items():
        times = f"{cost['small']} x a bare trigger, large company {cost['large']} x"
        made.add_row("portal", page, times, "")
        made.add_row("portal, bytes", page, f"{cost['bytes']:,}", f"{MOST_BYTES:,}")
    for page, steps in measured.get("page_operations", {}).items():
        listed = ", ".join(f"{count} {step}" for step, count in steps.items())
        made.add_row("page, table operations", page, f"{sum(steps.values())}: {listed}", "")
    for page, ratio in measured.get("page_ratios", {}).items():
        made.add_row(
            f"page, time against {measured['page_base']}", page, str(ratio), str(MOST_RATIO)
        )
    run = measured.get("run", {})
    for name, value in run.items():
        if isinstance(value, dict):
            shown = f"{value['graph_requests']} requests, {value['throttled']} x 429, "
            made.add_row("run", name, f"{shown}{value['mailboxes_per_second']} mailboxes/s", "")
        else:
            made.add_row("run", name, str(value), "")
    return made


def write(measured: dict[str, Any], build: Path) -> None:
    """Print the table, and write it and the plots."""
    shown = table(measured)
    Console().print(shown)
    with (build / "bench.txt").open("w", encoding="utf-8") as file:
        Console(file=file, width=120).print(shown)
    if "fill_requests" in measured:
        _requests(measured, build / "bench-requests.png")
    if "naive" in measured:
        _naive(measured["naive"], build / "bench-naive.png")
    if "per_contact_microseconds" in measured:
        _per_contact(measured["per_contact_microseconds"], build / "bench-per-contact.png")


def _requests(measured: dict[str, Any], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4))
    for kind, label in (("fill_requests", "first fill"), ("idle_requests", "nothing changed")):
        sizes = [int(size) for size in measured[kind]]
        axes.plot(sizes, list(measured[kind].values()), marker="o", label=label)
    axes.plot(sizes, sizes, linestyle=":", label="one request a contact")
    axes.set(xscale="log", yscale="log", xlabel="contacts", ylabel="Graph requests of a mailbox")
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)


def _naive(measured: dict[str, Any], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4))
    ways = list(measured)
    for offset, day in enumerate(("fill", "idle", "change")):
        heights = [measured[way][day]["requests"] for way in ways]
        places = [n + (offset - 1) * 0.25 for n in range(len(ways))]
        axes.bar(places, heights, 0.25, label=day)
    axes.set(yscale="log", ylabel="Graph requests, 500 contacts")
    axes.set_xticks(range(len(ways)), ways, fontsize=8)
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)


def _per_contact(measured: dict[str, float], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot([int(n) for n in measured], list(measured.values()), marker="o")
    axes.set(xscale="log", xlabel="contacts", ylabel="µs to decide on a contact")
    axes.set_ylim(bottom=0)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)
