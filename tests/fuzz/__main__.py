"""Tries many cases, each target in a process of its own, which may crash or hang.

    python -m tests.fuzz --cases 20000 --seed 0
    python -m tests.fuzz --target table --seed 0 --first 1234 --cases 1    # one case again

Ends with 1 if a case ended as none may, and names each: its target and its number.
"""

import argparse
import faulthandler
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.run import try_case
from tests.fuzz.targets import TARGETS

SHARES = {"config": 0.30, "rest": 0.25, "grpc": 0.25, "table": 0.18, "model": 0.02}
"""Of the cases; those of a model take longest."""

HANG_SECONDS = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=list(TARGETS))
    parser.add_argument("--first", type=int, default=0, help="the number of the first case, with --target")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.worker:
        return _work(given.target, given.seed, given.first, given.cases)
    shares = {given.target: 1.0} if given.target else SHARES
    broken = 0
    print("| target | cases | not as they may end | ends |\n|---|---|---|---|")
    for target, share in shares.items():
        cases = round(given.cases * share)
        ends, problems = _run(target, given.seed, given.first, cases)
        broken += len(problems)
        print(f"| {target} | {cases} | {len(problems)} | {', '.join(f'{k} {n}' for k, n in ends.most_common())} |")
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
    return int(broken > 0)


def _run(target: str, seed: int, first: int, cases: int) -> tuple[Counter[str], list[str]]:
    """The ends of the cases, and those that may not be; goes on behind a case that ended the process."""
    ends: Counter[str] = Counter()
    problems: list[str] = []
    number, last = first, first + cases
    while number < last:
        command = [sys.executable, "-m", "tests.fuzz", "--worker", f"--target={target}", f"--seed={seed}"]
        command += [f"--first={number}", f"--cases={last - number}"]
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as worker,
        ):
            assert worker.stdout
            for line in worker.stdout:
                place, _, end = line.rstrip("\n").partition("\t")
                if not place.isdigit():
                    continue
                number = int(place) + 1
                ends[end if not end.startswith("!") else "broken"] += 1
                if end.startswith("!"):
                    problems.append(f"{target} {place}: {end[1:]}")
            if code := worker.wait():
                errors.seek(0)
                problems.append(f"{target} {number}: the process ended with {code}: {errors.read()[-2000:]}")
                ends["crashed"] += 1
                number += 1
    return ends, problems


def _work(target: str, seed: int, first: int, cases: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        case = TARGETS[target](Path(name))
        for number in range(first, first + cases):
            # Ends the process, also where the interpreter itself hangs.
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            started = time.monotonic()
            end = try_case(case, target, seed, number)
            seconds = time.monotonic() - started
            if seconds > HANG_SECONDS / 4:
                end = f"!took {seconds:.0f} s"
            print(f"{number}\t{end}", flush=True)
        faulthandler.cancel_dump_traceback_later()
    return 0


if __name__ == "__main__":
    sys.exit(main())
