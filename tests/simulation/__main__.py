"""`make simulate SEEDS=n`: run many histories, and say which seeds break which invariant.

python -m tests.simulation --seeds 1000 [--start 0] [--processes 2] [--seconds 90]
python -m tests.simulation --seed 42 --trace      one history, with all that happens in it
python -m tests.simulation --put-back 5-order     how many histories find a fault that was mended
"""

import argparse
import gc
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import batched, chain, islice

from tests.simulation.acts import ACTS
from tests.simulation.faults_put_back import FAULTS, put_back
from tests.simulation.histories import run_history
from tests.simulation.known import known
from tests.simulation.runtime.adversary import KNOBS
from tests.simulation.themes import THEMES

_AT_A_TIME = 20
_COLLECT_EVERY = 60


@dataclass(slots=True)
class Summary:
    """What some histories found: seeds by invariant, strikes, seconds and steps."""

    seeds: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    strikes: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    histories: int = 0
    seconds: float = 0.0
    steps: int = 0

    def add(self, other: "Summary") -> None:
        """Add what other histories found."""
        for invariant, seeds in other.seeds.items():
            self.seeds[invariant] += seeds
        self.strikes += other.strikes
        self.acts += other.acts
        self.histories += other.histories
        self.seconds += other.seconds
        self.steps += other.steps


def run_some(seeds: Iterable[int]) -> Summary:
    """Run some histories in this process."""
    found = Summary()
    for seed in seeds:
        begun = time.process_time()
        if not found.histories % _COLLECT_EVERY:
            gc.collect()
            gc.disable()  # a seventh of the time; a history leaves about a megabyte behind
        try:
            sim = run_history(seed)
        except Exception:  # noqa: BLE001 - the seed is what matters
            last = traceback.format_exc().strip().splitlines()[-1]
            found.seeds[f"crash: {last[:120]}"].append(seed)
        else:
            for invariant in {violation.invariant for violation in sim.violations}:
                found.seeds[invariant].append(seed)
            found.strikes += sim.adversary.strikes
            found.acts += sim.acts
            found.steps += sim.loop.steps
        found.histories += 1
        found.seconds += time.process_time() - begun
    gc.enable()
    return found


def run_many(start: int, seeds: int, processes: int, seconds: float) -> Summary:
    """Run histories in several processes, until all are done or the time is up."""
    end, whole = time.monotonic() + seconds, Summary()
    chunks: Iterator[tuple[int, ...]] = batched(
        range(start, start + seeds), _AT_A_TIME, strict=False
    )
    with ProcessPoolExecutor(processes) as pool:
        waiting = [pool.submit(run_some, chunk) for chunk in islice(chunks, 2 * processes)]
        for done in chain(waiting):
            whole.add(done.result())
            if time.monotonic() < end and (chunk := next(chunks, None)) is not None:
                waiting.append(pool.submit(run_some, chunk))
    return whole


def show(found: Summary) -> bool:
    """Print what was found; return whether anything is new."""
    new = False
    for invariant, seeds in sorted(found.seeds.items()):
        finding = known(invariant)
        new = new or finding is None
        shown = ", ".join(map(str, sorted(seeds)[:8]))
        print(f"{invariant}: {len(seeds)} of {found.histories} (seeds {shown})")
        print(f"    {f'known: {finding}' if finding else 'NEW'}")
    print("how often each adversary struck:")
    for name in sorted({*KNOBS, *found.strikes}):
        print(f"    {found.strikes[name]:>9,} {name}")
    print("what people did:")
    for name in sorted(act.__name__ for act in (*ACTS, *THEMES)):
        print(f"    {found.acts[name]:>9,} {name}")
    each = found.seconds / max(1, found.histories)
    print(
        f"{found.histories} histories, {each * 1_000:.0f} ms of CPU and "
        f"{found.steps // max(1, found.histories)} steps each"
    )
    if found.seeds:
        seed = min(min(seeds) for seeds in found.seeds.values())
        print(f"repeat one: python -m tests.simulation --seed {seed} --trace")
    return new


def run_one(seed: int, *, trace: bool) -> bool:
    """Run one history and print its violations; return whether there are any."""
    lines: list[str] = []
    sim = run_history(seed, lines)
    if trace:
        print("\n".join(lines))
    for violation in sim.violations:
        print(violation)
    print("knobs:", sim.knobs)
    print("digest:", sim.digest())
    return bool(sim.violations)


def find(fault: str, start: int, seeds: int) -> int | None:
    """Put a fault back and return after how many histories one shows it; None if none does."""
    with put_back(fault):
        for number, seed in enumerate(range(start, start + seeds), 1):
            found = run_some([seed])
            if new := sorted(name for name in found.seeds if known(name) is None):
                print(f"{fault}: found after {number} histories, seed {seed}: {', '.join(new)}")
                return number
    print(f"{fault}: not found in {seeds} histories")
    return None


def find_all(faults: Sequence[str], start: int, seeds: int, processes: int) -> bool:
    """Put faults back, one after the other; return whether one is not found."""
    with ProcessPoolExecutor(processes) as pool:
        waiting = [pool.submit(find, fault, start, seeds) for fault in faults]
        return any(done.result() is None for done in waiting)


def print_digests(seeds: Iterable[int]) -> bool:
    """Print a hash of the trace of each history, to compare with those of another process."""
    for seed in seeds:
        print(seed, run_history(seed, []).digest())
    return False


def main() -> int:
    """Read the command line, run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many histories")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--seed", type=int, help="run only this one")
    parser.add_argument("--put-back", metavar="FAULT", help="a mended fault, or all")
    parser.add_argument("--digests", action="store_true", help="print a hash of each trace")
    parser.add_argument("--trace", action="store_true", help="print all that happens in it")
    given = parser.parse_args()
    if given.put_back == "all":
        return find_all(list(FAULTS), given.start, given.seeds, given.processes)
    if given.seed is not None:
        with put_back(given.put_back):
            return run_one(given.seed, trace=given.trace)
    if given.put_back is not None:
        return find(given.put_back, given.start, given.seeds) is None
    if given.digests:
        return print_digests(range(given.start, given.start + given.seeds))
    return show(run_many(given.start, given.seeds, given.processes, given.seconds))


if __name__ == "__main__":
    sys.exit(main())
