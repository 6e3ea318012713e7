"""A run's folder: its config, its log of examples, its speed."""

import contextlib
import json
import os
import pathlib
import shutil

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from painting_jax.config import read_config
from painting_jax.data.pipeline import DataSource
from painting_jax.errors import UserError
from painting_jax.models.codec import PixelCodec
from painting_jax.models.painting.modeling import PaintingModel
from painting_jax.models.wan import flops
from painting_jax.tasks.task import make_model
from painting_jax.training import loop
from painting_jax.training.examples_log import ExamplesLog
from painting_jax.training.initialisation import check_init_from
from painting_jax.training.workdir import as_run_began, claimed


def claim(workdir, config) -> None:
    """As a training does that begins and ends."""
    with claimed(workdir, config, DataSource(config.data.data_dir, "train").path) as begun:
        begun()


def test_a_workdir_keeps_its_config_and_refuses_another(tiny, tmp_path):
    claim(tmp_path / "run", tiny)
    claim(tmp_path / "run", tiny)
    assert read_config(tmp_path / "run").model.dim == tiny.model.dim
    tiny.optimizer.learning_rate = 1.0
    with pytest.raises(UserError, match=r"optimizer.learning_rate was 0.002, is 1.0"):
        claim(tmp_path / "run", tiny)
    assert read_config(tmp_path / "run").optimizer.learning_rate == 0.002


def test_how_a_run_is_run_may_change(tiny, tmp_path):
    claim(tmp_path, tiny)
    tiny.mesh.fsdp = 4
    tiny.checkpoint.every = 99
    tiny.log.every = 1
    claim(tmp_path, tiny)


def test_paths_may_be_spelt_in_another_way(tiny, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    tiny.init_from = str(tmp_path / "other")
    claim(tmp_path / "run", tiny)
    forget_origin(tmp_path / "run")
    monkeypatch.chdir(tiny.data.data_dir)
    tiny.data.data_dir = "../" + pathlib.Path.cwd().name
    (tmp_path / "link").symlink_to("other")
    tiny.init_from = str(tmp_path / "link")
    claim(tmp_path / "run", tiny)
    tiny.init_from = ""
    with pytest.raises(UserError, match=r"init_from was .*/other, is "):
        claim(tmp_path / "run", tiny)


def test_a_run_older_than_fields_of_its_model_is_resumed_without_them(tiny, tmp_path):
    claim(tmp_path, tiny)
    newer = ("mark_other_looks", "direction_guides")
    assert all(as_run_began(tiny, tmp_path).model[name] for name in newer)
    config = json.loads((tmp_path / "config.json").read_text())
    for name in newer:
        del config["model"][name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"guides was False, is True; model.mark_other_looks was F"):
        claim(tmp_path, tiny)
    resumed = as_run_began(tiny, tmp_path)
    assert not any(resumed.model[name] for name in newer)
    claim(tmp_path, resumed)
    tiny.init_from = str(tmp_path)
    with pytest.raises(UserError, match=r"config.model.direction_guides is False there and True"):
        check_init_from(tiny)
    # Marks take no parameters.
    tiny.model.direction_guides = False
    with pytest.raises(UserError, match="no checkpoint to start from"):
        check_init_from(tiny)


def test_a_run_that_is_to_start_from_itself_resumes(tiny, tmp_path):
    tiny.init_from = str(tmp_path / "run")
    with pytest.raises(UserError, match="run is no training run"):
        check_init_from(as_run_began(tiny, tmp_path / "run"))
    tiny.init_from = ""
    claim(tmp_path / "run", tiny)
    (tmp_path / "link").symlink_to("run")
    tiny.init_from = str(tmp_path / "link")
    resumed = as_run_began(tiny, tmp_path / "run")
    assert resumed.init_from == ""
    claim(tmp_path / "run", resumed)


def forget_origin(workdir) -> None:
    """Makes a run one of the time before data sets were known by their origin."""
    config = json.loads((workdir / "config.json").read_text())
    del config["data"]["fingerprint"]
    (workdir / "config.json").write_text(json.dumps(config))


def test_data_may_have_moved_and_must_be_the_same(tiny, tmp_path):
    shutil.copytree(tiny.data.data_dir, tmp_path / "old")
    tiny.data.data_dir = str(tmp_path / "old")
    claim(tmp_path / "run", tiny)
    (tmp_path / "old").rename(tmp_path / "new")
    tiny.data.data_dir = str(tmp_path / "new")
    claim(tmp_path / "run", tiny)
    [metadata] = (tmp_path / "new").rglob("metadata.json")
    for other in ('{"fingerprint": "of others"}', "{}"):
        metadata.write_text(other)
        said = pytest.raises(UserError, match=r"is not the data set that .* was trained on")
        with said, claimed(tmp_path / "run", tiny, metadata.parent):
            pass


def test_one_training_at_a_time_has_a_workdir(tiny, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with claimed(tmp_path / "run", tiny, tiny.data.data_dir) as begun:
        begun()
        for name in ("run", "link"):
            with pytest.raises(UserError, match=f"{name} is being written by another train"):
                claim(tmp_path / name, tiny)
        claim(tmp_path / "another", tiny)
    claim(tmp_path / "run", tiny)


@pytest.mark.parametrize("refused", [True, False])
def test_other_processes_of_a_run_do_as_the_first_is_told(tiny, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", lambda mine: refused)
    said = pytest.raises(UserError, match="is refused to process 0")
    with said if refused else contextlib.nullcontext():
        claim(tmp_path / "run", tiny)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_left_alone(tiny, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty"):
        claim(tmp_path, tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def fail_in(workdir, config, *, late: bool = False) -> None:
    data = config.data.data_dir
    with contextlib.suppress(UserError), claimed(workdir, config, data) as begun:
        (workdir / "checkpoints").mkdir(exist_ok=True)
        if late:
            begun()
        raise UserError("a mistake")


def test_a_run_that_never_began_leaves_its_folder_as_it_was(tiny, tmp_path):
    fail_in(tmp_path / "run", tiny)
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    fail_in(tmp_path / "run", tiny)
    assert list((tmp_path / "run").iterdir()) == []


def test_a_run_that_began_stays(tiny, tmp_path):
    fail_in(tmp_path / "run", tiny, late=True)
    # Cut off and started again it is no new one, however early it fails.
    fail_in(tmp_path / "run", tiny)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json", "checkpoints"}


def test_a_run_to_start_from_has_the_same_model_and_a_checkpoint(tiny, tmp_path):
    claim(tmp_path / "run", tiny)
    (tmp_path / "run" / "checkpoints").mkdir()
    tiny.init_from = str(tmp_path / "run")
    # The same model, so that nothing but the checkpoint is missed.
    with pytest.raises(UserError, match="has no checkpoint to start from"):
        check_init_from(tiny)
    tiny.model.patch = (1, 8, 8)
    with pytest.raises(UserError, match=r"config.model.patch is \[1, 16, 16\] there and"):
        check_init_from(tiny)


def test_a_damaged_config_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"seed": ')
    with pytest.raises(UserError, match="is damaged"):
        read_config(tmp_path)


def test_the_log_forgets_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "examples.jsonl"
    log = ExamplesLog(path, 0)
    for step in range(5):
        log.write(step, np.array([step, step + 1]))
    log.close()
    with path.open("a") as file:
        file.write('{"step": 5, "ro')  # torn by a kill
    log = ExamplesLog(path, 3)
    log.write(3, np.array([7, 8]))
    log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2, 3]
    assert lines[3]["rows"] == [7, 8]


def test_logs_of_other_numbers_of_processes_forget_the_same_steps(tmp_path):
    def write(name: str, steps: range) -> None:
        lines = (json.dumps({"step": step, "rows": [step]}) + "\n" for step in steps)
        (tmp_path / name).write_text("".join(lines))

    # Four steps by one process, six by two, of which the last two came after their checkpoint.
    write("examples.jsonl", range(4))
    for index in range(2):
        write(f"examples-{index}.jsonl", range(4, 10))
    log = ExamplesLog.of_process(tmp_path, 8)
    log.write(8, np.array([8]))
    log.close()

    def steps(name: str) -> list[int]:
        return [json.loads(line)["step"] for line in (tmp_path / name).read_text().splitlines()]

    assert steps("examples.jsonl") == [0, 1, 2, 3, 8]
    assert steps("examples-0.jsonl") == steps("examples-1.jsonl") == [4, 5, 6, 7]


def test_the_log_is_on_the_disk_when_it_is_made_and_before_a_checkpoint(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    path = tmp_path / "examples.jsonl"
    path.write_text('{"step": 0}\n{"step": 1}\n')
    log = ExamplesLog(path, 1)
    assert synced[0] == len('{"step": 0}\n')
    log.write(1, np.array([2]))
    log.sync()
    log.close()
    assert synced[-1] == path.stat().st_size


@pytest.mark.parametrize("left", [True, False])
def test_a_run_may_be_lengthened_and_not_shortened(tiny, tmp_path, capsys, left):
    claim(tmp_path / "run", tiny)
    if left:
        (tmp_path / "run" / "transformer").mkdir()
        (tmp_path / "run" / "transformer" / "config.json").write_text("{}")
    tiny.steps += 5
    claim(tmp_path / "run", tiny)
    assert read_config(tmp_path / "run").steps == tiny.steps
    assert f"lengthened from {tiny.steps - 5} to {tiny.steps} steps" in capsys.readouterr().out
    # What it came to before keeps a name that says so.
    assert not (tmp_path / "run" / "transformer").exists()
    assert (tmp_path / "run" / f"transformer_{tiny.steps - 5}").exists() == left
    claim(tmp_path / "run", tiny)
    assert capsys.readouterr().out == ""
    tiny.steps -= 1
    with pytest.raises(UserError, match=r"steps was .*only steps may grow"):
        claim(tmp_path / "run", tiny)


def test_a_start_that_fails_lengthens_nothing(tiny, tmp_path):
    claim(tmp_path / "run", tiny)
    tiny.steps += 5
    fail_in(tmp_path / "run", tiny)
    assert read_config(tmp_path / "run").steps == tiny.steps - 5


def test_forward_flops_are_those_the_compiler_counts(tiny):
    """Matrix products dominate: the count is within a tenth of XLA's own, one layer unrolled."""
    from flax import nnx  # noqa: PLC0415

    from painting_jax.models.painting.modeling import Conditions  # noqa: PLC0415
    from painting_jax.models.painting.picture import Picture  # noqa: PLC0415

    tiny.model.update(dim=192, layers=1, heads=4, ffn_dim=768, pixel_layers=0)
    config = make_model(tiny).config
    graph, state = nnx.split(nnx.eval_shape(lambda: PaintingModel(config, rngs=nnx.Rngs(0))))
    frames, side, words = 9, 64, 24
    shape = (1, frames, side, side, 3)
    arguments = (
        jax.ShapeDtypeStruct(shape, np.float32),
        jax.ShapeDtypeStruct((1,), np.float32),
        Conditions(
            jax.ShapeDtypeStruct((*shape[:-1], 4), np.float32),
            jax.ShapeDtypeStruct((1, len(config.media)), np.float32),
            jax.ShapeDtypeStruct((1, words), np.int32),
            jax.ShapeDtypeStruct((1, frames), np.float32),
            Picture(
                jax.ShapeDtypeStruct((1, side, side, 3), np.float32),
                jax.ShapeDtypeStruct((1, side, side), np.uint8),
            ),
        ),
    )
    forward = jax.jit(lambda state, *arguments: nnx.merge(graph, state)(*arguments))
    counted = forward.lower(state, *arguments).compile().cost_analysis()["flops"]
    tokens = flops.tokens(config.transformer(), PixelCodec(), frames, side, side)
    assert tokens == 9 * 4 * 4
    ours = flops.forward_flops(config.transformer(), tokens, words)
    assert ours == pytest.approx(counted, rel=0.1)


@pytest.mark.parametrize("own", [None, "elsewhere"])
def test_compiled_programs_are_kept_in_the_run_unless_the_user_keeps_them_elsewhere(tmp_path, own):
    before = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update("jax_compilation_cache_dir", own)
        loop._keep_compiled(tmp_path)
        assert jax.config.jax_compilation_cache_dir == (own or str(tmp_path / "compiled"))
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
