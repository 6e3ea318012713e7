"""Networks are tried once, in a process of their own, before recordings are read."""

import re
import sys

import pytest

from painting_jax import memory
from painting_jax.data.enrichment import choice, trial
from painting_jax.data.enrichment.enrichment import NONE
from painting_jax.errors import UserError
from tests.evaluation import tiny_networks


def test_what_a_worker_takes_is_measured_in_a_process_of_its_own_and_said():
    said = []
    # Without networks, what is done by default takes their place.
    assert trial.room(NONE, 64, 2, said.append) in (1, 2)
    [line] = said
    assert re.fullmatch(
        r"with its networks, each of \d worker processes takes [\d.,]+ MiB of m.*", line
    )


def test_a_network_that_cannot_be_used_is_refused_before_anything_is_read(tmp_path):
    clip = tiny_networks.write_clip(tmp_path)
    (clip / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="has no tokenizer for texts"):
        trial.room(choice.chosen(medium=str(clip)), 64, 0, print)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by Linux's accounts")
def test_the_memory_is_that_of_the_process():
    before = trial._peak()
    filled = bytearray(64 << 20)
    filled[::4096] = b"x" * len(filled[::4096])
    assert trial._peak() >= before
    assert 50 << 20 < trial._peak() < memory.host()


@pytest.mark.parametrize(
    ("taken", "fits"),
    [
        (trial.Taken(host=3 << 30), 4),
        (trial.Taken(host=40 << 30), 1),
        (trial.Taken(host=1 << 30, device=10 << 30, on_device=24 << 30), 2),
    ],
)
def test_no_more_workers_use_networks_than_there_is_memory_for(monkeypatch, taken, fits):
    monkeypatch.setattr(memory, "host", lambda: 16 << 30)
    assert taken.fits == fits
