"""Repeats kills, full disks, damages and concurrency, and prints the table of docs/reliability.md.

    python -m tests.chaos --rounds 1 --seed 0
    python -m tests.chaos --only pushes --rounds 10

Ends with 1 if anything was violated. The same seed chooses the same moments, files and sizes; when a process is killed
at a moment, it may be at another place.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.chaos import pushes, runs, swaps
from tests.chaos.finding import VIOLATIONS, Finding

PARTS = ("pushes", "swaps", "runs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often everything is repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PARTS)
    given = parser.parse_args(arguments)
    started = time.monotonic()
    print(f"| what | rounds | ends | {' | '.join(VIOLATIONS.values())} |")
    print(f"|---|---|---|{'---|' * len(VIOLATIONS)}", flush=True)
    violations = 0
    with tempfile.TemporaryDirectory(prefix="janus-chaos-") as name:
        for finding in _findings(Path(name), given.rounds, given.seed, given.only):
            violations += finding.violations.total()
            print(finding.row(), flush=True)
            for detail in finding.details[:20]:
                print(f"  {detail}", file=sys.stderr, flush=True)
    print(f"\n{violations} violations, seed {given.seed}, {time.monotonic() - started:.0f} s")
    return int(violations > 0)


def _findings(folder: Path, rounds: int, seed: int, only: str | None) -> Iterator[Finding]:
    # First, since they fork, and later parts load libraries with threads.
    if only in (None, "pushes"):
        yield pushes.kills(folder / "a", 200 * rounds, Random(f"kills {seed}"))
        yield pushes.full_disks(folder / "b", 100 * rounds, Random(f"disks {seed}"))
        yield pushes.concurrent(folder / "c", 10 * rounds, Random(f"concurrent {seed}"))
    if only in (None, "runs"):
        usual = runs.reference(folder / "d")
        yield runs.kills(folder / "e", 2 * rounds, Random(f"runs {seed}"), usual)
        yield runs.full_disks(folder / "f", rounds, Random(f"full {seed}"), usual)
        yield runs.damages(folder / "g", 2 * rounds, Random(f"damages {seed}"), usual)
    if only in (None, "swaps"):
        yield swaps.swaps(folder / "h", 12 * rounds, Random(f"swaps {seed}"))


if __name__ == "__main__":
    sys.exit(main())
