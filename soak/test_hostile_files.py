"""Two thousand hostile files, over all readers, are read or refused in a line each."""

import pathlib

from soak.hostile import main


def test_two_thousand_hostile_files(capsys):
    with capsys.disabled():
        outcomes = main.read(0, range(2000), pathlib.Path("runs/hostile"))
        print("\n" + "\n".join(main.report(outcomes)))
    assert [number for number, outcome in outcomes.items() if outcome.faults] == []
