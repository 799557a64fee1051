"""One case by its number."""

from random import Random

from tests.fuzz.targets import Case


def try_case(case: Case, target: str, seed: int, number: int) -> str:
    """What became of a case; after `!`, what must not have."""
    try:
        return case(Random(f"{target} {seed} {number}"))
    except Exception as error:
        return f"!{type(error).__name__}: {error}".replace("\n", " ")[:2000]
