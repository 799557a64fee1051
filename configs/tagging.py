"""Makes data/tagging: sentences with a part of speech and an entity tag for each token, by a grammar.

Many words have several readings, which only their neighbours tell apart: `plan` and `watch` are nouns or verbs, and
Jordan or Lincoln a person, a place or a part of a company's name.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
from _tables import argument_parser, write_parquet

SEED = 11
LISTS = ("tokens", "pos", "entities")

SCHEMA = pa.schema({name: pa.list_(pa.string()) for name in LISTS})

BOTH = [
    "plan",
    "watch",
    "visit",
    "report",
    "order",
    "call",
    "change",
    "drive",
    "show",
    "work",
    "study",
    "test",
    "start",
    "walk",
    "help",
]
NOUNS = [
    "garden",
    "river",
    "table",
    "letter",
    "station",
    "market",
    "window",
    "teacher",
    "doctor",
    "engine",
    "boat",
    "house",
] + BOTH
VERBS = ["build", "find", "paint", "carry", "open", "buy", "sell", "meet"] + BOTH
ADJECTIVES = ["old", "new", "green", "quiet", "large", "small", "open", "early", "late", "local"]
DETERMINERS = ["the", "a", "this", "every"]
PLACES_OR_PEOPLE = [
    "Jordan",
    "Lincoln",
    "Washington",
    "Paris",
    "Florence",
    "Victoria",
    "Austin",
    "Georgia",
    "Sydney",
    "Kent",
]
PEOPLE = ["Anna", "Omar", "Lena", "Viktor", "Priya", "Tom"] + PLACES_OR_PEOPLE
SURNAMES = ["Miller", "Okafor", "Tanaka", "Novak", "Lopez", "Singh"] + PLACES_OR_PEOPLE
PLACES = ["Oslo", "Lima", "Cairo", "Kyoto", "Malmo"] + PLACES_OR_PEOPLE
COMPANIES = ["Bank", "Motors", "Press", "Holdings", "Airways"]

SYLLABLES = ["ka", "lo", "mi", "ren", "tu", "sa", "vel", "dor"]

Tagged = list[tuple[str, str, str]]
"""Token, part of speech, entity tag."""


def prepare(rows: int) -> pd.DataFrame:
    """One row per sentence."""
    # RandomState: its stream is frozen, that of default_rng may change between numpy's versions
    random = np.random.RandomState(SEED)
    sentences = [_sentence(random) for _ in range(rows)]
    return pd.DataFrame({name: [[token[i] for token in one] for one in sentences] for i, name in enumerate(LISTS)})


def _sentence(random: np.random.RandomState) -> Tagged:
    def one(words: list[str]) -> str:
        return words[random.randint(len(words))]

    def noun_phrase() -> Tagged:
        found: Tagged = [(one(DETERMINERS), "DET", "O")] if random.uniform() < 0.7 else []
        found += [(one(ADJECTIVES), "ADJ", "O") for _ in range(random.randint(3))]
        found += [(one(NOUNS), "NOUN", "O")] if random.uniform() < 0.3 else []
        return [*found, (one(NOUNS), "NOUN", "O")]

    def rare() -> str:
        """A name that is seldom seen twice."""
        return "".join(one(SYLLABLES) for _ in range(3)).capitalize()

    def person() -> Tagged:
        found = [(rare() if random.uniform() < 0.2 else one(PEOPLE), "PROPN", "B-PER")]
        return [*found, (one(SURNAMES), "PROPN", "I-PER")] if random.uniform() < 0.5 else found

    def place() -> Tagged:
        found = [("New", "PROPN", "B-LOC")] if random.uniform() < 0.2 else []
        return [*found, (rare() if random.uniform() < 0.2 else one(PLACES), "PROPN", "I-LOC" if found else "B-LOC")]

    def company() -> Tagged:
        found = [(one(PLACES + SURNAMES), "PROPN", "B-ORG")]
        return [*found, (one(COMPANIES), "PROPN", "I-ORG")] if random.uniform() < 0.9 else found

    def subject() -> Tagged:
        return chosen(noun_phrase, person, company)

    def chosen(*makers: Callable[[], Tagged]) -> Tagged:
        return makers[random.randint(len(makers))]()

    verb = [(one(VERBS), "VERB", "O")]
    auxiliary: Tagged = [(one(["will", "must", "can"]), "AUX", "O")]
    if random.uniform() < 0.3:
        auxiliary.append(("not", "PART", "O"))
    # Without a subject, it is a command.
    begin = [*subject(), *auxiliary] if random.uniform() < 0.8 else []
    found = [*begin, *verb, *chosen(noun_phrase, noun_phrase, person, company)]
    if random.uniform() < 0.6:
        where = place() if random.uniform() < 0.85 else person()
        found += [(one(["in", "near", "from"]), "ADP", "O"), *where]
    if random.uniform() < 0.4:
        found += [("with", "ADP", "O"), *chosen(person, company, noun_phrase)]
    return [*found, (".", "PUNCT", "O")]


def main() -> None:
    """Parses the command line, prepares and writes."""
    arguments = argument_parser(__doc__, "data/tagging", rows=4000).parse_args()
    write_parquet(prepare(arguments.rows), SCHEMA, arguments.output / f"{arguments.output.name}.parquet")


if __name__ == "__main__":
    main()
