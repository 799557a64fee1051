"""Columns as arguments of an exported function."""

from trainer.names import column_arguments


def test_a_name_that_is_an_argument_stays() -> None:
    assert column_arguments(["distance", "Class", "x_1"]) == {"distance": "distance", "Class": "Class", "x_1": "x_1"}


def test_any_other_name_has_a_substitute_that_depends_on_the_names_alone() -> None:
    columns = ["class", "self", "a.b", "a/b", "größe", "_x", "1st", "column_0", ""]
    arguments = column_arguments(columns)
    assert arguments == column_arguments(columns[::-1])
    assert arguments["column_0"] == "column_0"
    assert len(set(arguments.values())) == len(columns)
    assert all(argument.isidentifier() and argument.startswith("column_") for argument in arguments.values())
