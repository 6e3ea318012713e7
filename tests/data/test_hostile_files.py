"""Hostile files, over all readers, are read or refused in a line each; `make soak` reads more."""

import signal

import pytest

from painting_jax.data import processes
from soak.hostile import cases, reading, seeds

_SECONDS = 30  # for one file; the slowest takes one


class Hang(BaseException):
    """A file takes too long. Readers turn errors into refusals, but not this one."""


@pytest.fixture(autouse=True)
def alarm():
    def ring(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_hundred_hostile_files(tmp_path):
    outcomes = []
    for number in range(100):
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        outcome = reading.read(cases.drawn(0, number), tmp_path / str(number))
        assert not outcome.faults, f"python -m soak.hostile.main --seed=0 --only={number}"
        outcomes.append(outcome)
    assert sum(outcome.read for outcome in outcomes) > 20
    assert sum(outcome.refused for outcome in outcomes) > 50


@pytest.mark.parametrize("reader", seeds.READERS)
def test_what_is_damaged_was_whole(tmp_path, reader):
    for variant in (0, 1):
        whole = seeds.seed(reader, variant)
        case = cases.Case(reader, whole.files, whole.source, whole.grid)
        outcome = reading.read(case, tmp_path / str(variant))
        assert (outcome.refused, outcome.faults) == (0, [])
        assert outcome.read >= 1


def test_a_seed_and_a_number_make_the_same_files_again():
    numbers = range(3 * len(seeds.READERS))
    first = [cases.drawn(7, number) for number in numbers]
    seeds.seed.cache_clear()
    assert [cases.drawn(7, number) for number in numbers] == first
    assert cases.drawn(8, 0) != first[0]


def test_an_error_that_is_no_refusal_and_a_file_that_is_left_are_faults(tmp_path, monkeypatch):
    def find(sources, **options):
        (sources[0].parent / "outside" / "victim").write_text("changed")
        raise ValueError("no line\nbut two")

    monkeypatch.setattr(processes, "find", find)
    raised, left = reading.read(cases.drawn(0, 0), tmp_path).faults
    assert "ValueError" in raised
    assert "outside/victim" in left
