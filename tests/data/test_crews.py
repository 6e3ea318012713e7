"""Which crew reads recordings, and what it needs."""

import importlib.util

import pytest

from painting_jax.data import crews, workers
from painting_jax.errors import UserError


def choose(runner=None, options=(), kept_dir=None, sources=("gs://bucket/films",), networks=()):
    with crews.chosen(
        runner, options, seconds=5, kept_dir=kept_dir, sources=sources, networks=networks
    ) as crew:
        return crew


def test_worker_processes_are_the_default():
    assert isinstance(choose(), workers.Crew)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"options": ["project=p"]}, "--beam_options is for --beam_runner"),
        ({"runner": "FlinkRunner"}, "--beam_runner=FlinkRunner: name a folder that all"),
        ({"runner": "DataflowRunner", "kept_dir": "kept"}, "kept is on this machine"),
        (
            {"runner": "DataflowRunner", "kept_dir": "gs://b/k", "sources": ["gs://b/f", "films"]},
            "films is on this machine, where workers of DataflowRunner do not see it",
        ),
        (
            {"runner": "DataflowRunner", "kept_dir": "gs://b/k", "networks": ["a/b", "tests"]},
            "tests is on this machine, .*: name its id on the Hugging Face hub",
        ),
        ({"runner": "DataflowRunner", "kept_dir": "gs://b/k"}, r"pip install 'apache-beam\[gcp\]'"),
        ({"runner": "NoRunner", "kept_dir": "kept"}, "--beam_runner=NoRunner: Unexpected"),
        (
            {"runner": "DirectRunner", "options": ["direct_workers=2"]},
            "workers is no option",
        ),
        (
            {"runner": "DirectRunner", "options": ["direct_num_workers=two"]},
            "invalid int",
        ),
    ],
)
def test_a_mistake_is_said_in_one_line_before_anything_is_read(choice, said):
    with pytest.raises(UserError, match=said) as raised:
        choose(**choice)
    assert "\n" not in str(raised.value)


def test_without_beam_its_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"apache-beam: pip install 'painting_jax\[beam\]'"):
        choose("DirectRunner")
