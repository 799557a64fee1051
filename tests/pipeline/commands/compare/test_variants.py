"""What is trained: candidates, single-task networks, networks of equal size."""

import pytest

from janus_core.errors import ConfigError
from pipeline.commands.compare.variants import (
    base_config,
    candidates,
    chosen,
    kinds_of,
    of_equal_size,
    rebalanced,
    single_task,
    widened,
)
from tests.pipeline.commands.compare.comparisons import trainer_config
from trainer.config import TrainerConfig


def test_kinds_are_those_of_the_registries() -> None:
    from trainer.balancings import BALANCINGS
    from trainer.trunks import TRUNKS

    assert sorted(kinds_of("trunk")) == sorted(TRUNKS)
    assert sorted(kinds_of("balancing")) == sorted(BALANCINGS)


def test_one_task_is_nothing_to_compare() -> None:
    config = trainer_config()
    one = config.model_copy(update={"tasks": {"late": config.tasks["late"]}})
    with pytest.raises(ConfigError, match="nothing to compare.*one task, 'late'"):
        base_config(one)


def test_comparisons_start_from_scratch_in_one_process() -> None:
    config = trainer_config()
    training = config.training.model_copy(update={"distribution": "mirrored", "warm_start": True})
    base = base_config(config.model_copy(update={"training": training}), epochs=7)
    assert (base.training.distribution, base.training.warm_start, base.training.epochs) == ("none", False, 7)
    assert base_config(config).training.epochs == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, ["ple"]), ("mmoe", ["mmoe"]), ("cgc, mmoe,cgc", ["cgc", "mmoe"]), ("all", ["mmoe", "cgc", "ple"])],
)
def test_kinds_are_chosen_by_name(given: str | None, expected: list[str]) -> None:
    assert chosen("--trunks", given, ["mmoe", "cgc", "ple"], own="ple") == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("mmo", "--trunks: 'mmo' is unknown. Did you mean 'mmoe'\\? Allowed: mmoe, cgc, or all"),
        ("cgc,star", "'star' is unknown. Allowed: mmoe"),
        (" ,", "expected names"),
    ],
)
def test_unknown_kinds_are_refused(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        chosen("--trunks", given, ["mmoe", "cgc"], own="mmoe")


def test_the_configurations_own_model_comes_first_and_as_it_is() -> None:
    config = trainer_config(trunk={"kind": "mmoe", "units": [8], "experts": 7}, balancing={"kind": "dwa"})
    found = candidates(config, ["cgc", "mmoe"], ["fixed", "dwa"])
    assert [candidate.name for candidate in found] == ["mmoe × dwa", "cgc × fixed", "cgc × dwa", "mmoe × fixed"]
    assert [candidate.own for candidate in found] == [True, False, False, False]
    assert found[0].config == config


def test_another_trunk_takes_the_shape_and_its_kinds_defaults() -> None:
    config = trainer_config(trunk={"kind": "mmoe", "units": [8], "experts": 7, "dropout": 0.2, "activation": "silu"})
    by_name = {candidate.name: candidate.config for candidate in candidates(config, ["cgc", "mmoe"], ["dwa"])}
    cgc = by_name["cgc × dwa"].model.trunk
    assert (cgc.kind, cgc.units, cgc.dropout, cgc.activation, cgc.shared_experts) == ("cgc", [8], 0.2, "silu", 2)
    assert by_name["mmoe × dwa"].model.trunk == config.model.trunk
    assert by_name["mmoe × dwa"].model.balancing.kind == "dwa"
    assert by_name["mmoe × dwa"].tasks == config.tasks


def test_a_candidate_keeps_all_but_its_balancing() -> None:
    own = candidates(trainer_config(balancing={"kind": "dwa"}), [], [])[0]
    found = rebalanced(own, "fixed")
    assert (found.name, found.own) == ("shared_bottom × fixed", True)
    assert found.config.model.trunk == own.config.model.trunk


def test_a_single_task_network_has_the_same_layers() -> None:
    config = trainer_config(trunk={"kind": "ple", "units": [8, 4], "dropout": 0.1}, balancing={"kind": "dwa"})
    late, delay = (single_task(config, task) for task in ("late", "delay"))
    assert list(late.tasks) == ["late"]
    assert late.tasks["late"].loss_weight == 1.0
    assert late.model.trunk.model_dump() == {
        "kind": "shared_bottom",
        "units": [8, 4],
        "dropout": 0.1,
        "activation": "relu",
    }
    assert (late.model.towers, delay.model.towers) == ({"default": [6]}, {"default": [4]})
    assert late.model.balancing.kind == "fixed"
    assert (late.features, late.training, late.seed) == (config.features, config.training, config.seed)


def test_a_single_task_network_has_the_same_encoding_and_members() -> None:
    config = trainer_config(encoding="piecewise_linear", members=3, tower_dropout={"late": 0.2})
    late, delay = (single_task(config, task).model for task in ("late", "delay"))
    assert (late.encoding, late.members, late.tower_dropout) == ("piecewise_linear", 3, {"late": 0.2})
    assert (delay.encoding, delay.members, delay.tower_dropout) == ("piecewise_linear", 3, {})


def test_a_multi_task_network_has_the_same_encoding_and_members() -> None:
    config = trainer_config(encoding="piecewise_linear", members=3, tower_dropout={"late": 0.2})
    own, other = candidates(config, ["mmoe"], ["uncertainty"])
    assert own.config.model == config.model
    assert (other.config.model.trunk.kind, other.config.model.balancing.kind) == ("mmoe", "uncertainty")
    assert other.config.model.model_dump(exclude={"trunk", "balancing"}) == config.model.model_dump(
        exclude={"trunk", "balancing"}
    )


def test_a_conditioned_task_stands_alone() -> None:
    raw = trainer_config().model_dump(mode="json")
    raw["tasks"]["bought"] = {"kind": "binary", "label": "bought", "given": "late"}
    assert single_task(TrainerConfig.model_validate(raw), "bought").tasks["bought"].given is None


def test_widening_scales_hidden_layers_alone() -> None:
    found = widened(single_task(trainer_config(), "late"), 1.5)
    assert (found.model.trunk.units, found.model.towers) == ([12, 6], {"default": [9]})
    assert widened(trainer_config(), 0.01).model.trunk.units == [1, 1]


def dense_parameters(config: TrainerConfig) -> int:
    """Of 10 embedded numbers, the hidden layers and one output, with 500 numbers in embeddings."""
    sizes = [10, *config.model.trunk.units, *config.model.towers["default"], 1]
    return 500 + sum((before + 1) * after for before, after in zip(sizes, sizes[1:], strict=False))


@pytest.mark.parametrize("target", [650, 900, 1500, 40_000])
def test_equal_size_is_the_nearest_that_there_is(target: int) -> None:
    single = single_task(trainer_config(), "late")
    found, factor = of_equal_size(single, target, dense_parameters)
    assert found == widened(single, factor)
    every = [dense_parameters(widened(single, step / 500)) for step in range(1, 20_000)]
    assert abs(dense_parameters(found) - target) == min(abs(count - target) for count in every)


def test_embeddings_bound_how_small_a_network_can_be() -> None:
    found, _ = of_equal_size(single_task(trainer_config(), "late"), 100, dense_parameters)
    assert found.model.trunk.units == [1, 1]
