import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.slicer import slicer_lib

from components.evaluator.slices import BatchFeatures, SliceKey, find_slices
from components.metrics.rows import Membership


def sparse(rows: list[list]) -> tfma.SparseTensorValue:
    """A batch of lists as TFMA holds it."""
    values = [value for row in rows for value in row]
    return tfma.SparseTensorValue(
        values=np.array(values, dtype=object if isinstance(values[0], bytes) else None),
        indices=np.array([(row, place) for row, found in enumerate(rows) for place in range(len(found))], np.int64),
        dense_shape=np.array([len(rows), max(map(len, rows))]),
    )


def as_dict(keys: list[SliceKey], membership: Membership) -> dict[SliceKey, list[int]]:
    found: dict[SliceKey, list[int]] = {key: [] for key in keys}
    for row, group in zip(membership.rows.tolist(), membership.groups.tolist(), strict=True):
        found[keys[group]].append(row)
    assert len(found) == membership.count
    return {key: sorted(rows) for key, rows in found.items()}


def slices_of(count: int, raw: dict, slices: list[tuple[str, ...]], transformed: tuple = ()) -> dict:
    return as_dict(*find_slices(count, BatchFeatures(transformed, raw), slices))


ORIGIN = sparse([[b"JFK"], [], [b"LGA"], [b"JFK"]])
HOUR = sparse([[1], [2], [], [1]])


def test_all_rows_are_one_slice():
    assert slices_of(3, {}, [()]) == {(): [0, 1, 2]}


def test_a_column_has_a_slice_per_raw_value_and_none_for_a_missing_one():
    assert slices_of(4, {"origin": ORIGIN}, [("origin",)]) == {
        (("origin", "JFK"),): [0, 3],
        (("origin", "LGA"),): [2],
    }


def test_a_crossing_needs_all_its_columns():
    assert slices_of(4, {"origin": ORIGIN, "hour": HOUR}, [("hour", "origin")]) == {
        (("hour", 1), ("origin", "JFK")): [0, 3]
    }


def test_a_row_with_several_values_is_in_the_slice_of_each_once():
    raw = {"tags": sparse([[b"a", b"b", b"a"], [b"b"]]), "hour": sparse([[1], [2]])}
    assert slices_of(2, raw, [("hour", "tags")]) == {
        (("hour", 1), ("tags", "a")): [0],
        (("hour", 1), ("tags", "b")): [0],
        (("hour", 2), ("tags", "b")): [1],
    }


def test_an_unknown_column_has_no_slice():
    assert slices_of(4, {"origin": ORIGIN}, [(), ("other",), ("origin", "other")]) == {(): [0, 1, 2, 3]}


def test_transformed_features_go_before_raw_ones():
    raw = {"origin": sparse([[b"JFK"], [b"LGA"]])}
    assert slices_of(2, raw, [("origin",)], ({"origin": np.array([[7], [8]])},)) == {
        (("origin", 7),): [0],
        (("origin", 8),): [1],
    }
    two_models = ({"origin": np.array([[7], [8]])}, {"origin": np.array([[7], [9]])})
    assert slices_of(2, raw, [("origin",)], two_models) == {
        (("origin", 7),): [0],
        (("origin", 8),): [1],
        (("origin", 9),): [1],
    }


def test_values_keep_their_types():
    raw = {"real": np.array([0.5, np.nan, 0.5], np.float32), "whole": np.array([[3], [3], [4]])}
    assert slices_of(3, raw, [("real",), ("whole",)]) == {
        (("real", 0.5),): [0, 2],
        (("whole", 3),): [0, 1],
        (("whole", 4),): [2],
    }


def test_bytes_that_are_no_text_still_make_a_slice():
    assert slices_of(1, {"origin": sparse([[b"\xff1"]])}, [("origin",)]) == {(("origin", "\\xff1"),): [0]}


def test_ragged_values_and_arrays_of_arrays():
    ragged = tfma.RaggedTensorValue(
        values=np.array([1, 2, 3, 1]), nested_row_splits=[np.array([0, 2, 2, 3]), np.array([0, 1, 3, 4])]
    )
    assert slices_of(3, {"x": ragged}, [("x",)]) == {(("x", 1),): [0, 2], (("x", 2),): [0], (("x", 3),): [0]}
    arrays = np.empty(3, object)
    arrays[:] = [np.array([1, 2]), None, np.array([2])]
    assert slices_of(3, {"x": arrays}, [("x",)]) == {(("x", 1),): [0], (("x", 2),): [0, 2]}


def test_slices_are_those_that_tfma_finds():
    random = np.random.default_rng(11)
    rows = [
        {
            "a": random.choice([b"x", b"y", b"z"], size=random.integers(0, 3)).tolist(),
            "b": random.integers(0, 3, size=random.integers(0, 2)).tolist(),
            "c": random.integers(0, 2, size=1).tolist(),
        }
        for _ in range(200)
    ]
    slices = [(), ("a",), ("b", "c"), ("a", "b", "c")]
    expected: dict[SliceKey, list[int]] = {}
    specs = [slicer_lib.SingleSliceSpec(columns=columns) for columns in slices]
    for place, row in enumerate(rows):
        features = {name: np.array(values) for name, values in row.items() if values}
        for key in slicer_lib.get_slices_for_features_dicts([], features, specs):
            expected.setdefault(key, []).append(place)
    raw = {name: sparse([row[name] for row in rows]) for name in "abc"}
    assert slices_of(200, raw, slices) == expected
