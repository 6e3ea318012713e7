"""Runs of a command line, and of a sweep over config fields."""

import re

import pytest

from launch import runs
from painting_jax import train
from painting_jax.errors import UserError
from tests import tiny

_CONFIG = f"--config={tiny.ROOT / 'configs' / 'demo.py'}"


def test_a_command_line_without_a_sweep_is_one_run_with_its_arguments():
    [run] = runs.of([_CONFIG, "--workdir", "runs/Cats & dogs", "--config.steps", "500"], [])
    assert run.arguments == (_CONFIG, "--workdir", "runs/Cats & dogs", "--config.steps", "500")
    assert (run.name, run.workdir) == ("cats-dogs", "runs/Cats & dogs")
    assert run.config.steps == 500


def test_each_combination_of_a_sweep_is_a_run_with_a_folder_of_its_own():
    words = ["--sweep.optimizer.learning_rate=1e-4,3e-4", "--sweep.model.layers", "1,2"]
    found = runs.of(["--workdir=lr/", _CONFIG], words)
    assert [run.name for run in found] == ["lr-1", "lr-2", "lr-3", "lr-4"]
    assert found[2].workdir == "lr/optimizer.learning_rate=3e-4,model.layers=1"
    assert [run.config.model.layers for run in found] == [1, 2, 1, 2]
    assert [run.config.optimizer.learning_rate for run in found] == [1e-4, 1e-4, 3e-4, 3e-4]
    # The training itself reads them as the launcher has.
    again = runs.of(found[2].arguments, [])
    assert (again[0].workdir, again[0].config) == (found[2].workdir, found[2].config)
    assert len({run.workdir for run in found}) == 4


def test_a_value_may_have_commas_in_brackets():
    found = runs.of(["--workdir=x", _CONFIG], ["--sweep.model.patch=(1,2,2),(1,4,4)"])
    assert [run.config.model.patch for run in found] == [(1, 2, 2), (1, 4, 4)]
    assert found[0].workdir == "x/model.patch=1_2_2"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sweep.nothing=1,2"], "no field 'nothing'"),
        (["--sweep.optimizer.nothing=1,2"], "no field 'nothing'"),
        (["--sweep.steps=many,2"], "config.steps=many"),
        (["--sweep.steps=1,0"], "config.steps=0: it must be from 1"),
        (["--sweep.steps=1,"], "write --sweep.FIELD=VALUE,VALUE"),
        (["--sweep.=1"], "write --sweep.FIELD=VALUE,VALUE"),
        (["--sweep.steps"], "write --sweep.FIELD=VALUE,VALUE"),
        (["--sweep.steps=5,5"], "a value stands there twice"),
        (["--sweep.steps=5", "--sweep.steps=6"], "given twice"),
        ([f"--sweep.steps={','.join(map(str, range(1, 200)))}"], "199 runs: at most 100"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(words, said):
    with pytest.raises(UserError, match=re.escape(said)):
        runs.of(["--workdir=x", _CONFIG], words)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--workdir is missing"),
        (["--workdir=x", "--nothing=1"], "nothing"),
        (["--workdir=x", "more"], "unexpected argument 'more'"),
        (["--workdir=x", "--config=nowhere.py"], "no experiment can be read from it"),
    ],
)
def test_arguments_that_a_training_refuses_are_refused(arguments, said):
    with pytest.raises(UserError, match=re.escape(said)):
        runs.of(arguments, [])


@pytest.mark.parametrize(
    ("workdir", "name"),
    [("runs/7", "run-7"), ("gs://b/Lr_1.5", "lr-1-5"), ("a/" + "b" * 90, "b" * 40), ("/", "run")],
)
def test_names_suit_kubernetes_and_slurm(workdir, name):
    [run] = runs.of([f"--workdir={workdir}", _CONFIG], [])
    assert run.name == name


def test_flags_of_the_training_keep_their_values_here():
    before = train._WORKDIR.value if train.flags.FLAGS.is_parsed() else None
    runs.of(["--workdir=x", _CONFIG], [])
    assert (train._WORKDIR.value if train.flags.FLAGS.is_parsed() else None) == before
