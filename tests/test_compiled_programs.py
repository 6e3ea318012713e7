"""Programs that were compiled once are found by the next start, and damaged ones are not run."""

import json
import os
import textwrap
from collections.abc import Callable

import pytest

from tests.programs import Programs

# Its arguments are the user's cache, the folder that the user has named for compiled programs, and
# the size that the kept ones may have.
_SQUARES = """
    import json
    import os
    import sys
    import jax
    from painting_jax.compiled_programs import kept

    os.environ["XDG_CACHE_HOME"] = sys.argv[1]
    jax.config.update("jax_compilation_cache_dir", sys.argv[2] or None)
    hits = []
    jax.monitoring.register_event_listener(
        lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None
    )
    with kept(int(sys.argv[3])):
        assert jax.jit(lambda x: x * x)(3.0) == 9
        assert jax.jit(lambda x: x + x)(3.0) == 6
    print(json.dumps(len(hits)))
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Callable:
    """A start of the program: how many programs it finds, and what it says."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "squares.py").write_text(textwrap.dedent(_SQUARES))
    run = Programs(folder)

    def started(cache, own="", most=1 << 30) -> tuple[int, str]:
        status, output = run("squares.py", str(cache), str(own), str(most))
        assert status == 0, output
        *said, found = output.splitlines()
        return json.loads(found), "\n".join(said)

    return started


def test_a_second_start_compiles_nothing_and_a_damaged_program_is_compiled_again(start, tmp_path):
    folder = tmp_path / "painting_jax" / "compiled"
    assert start(tmp_path) == (0, "")
    found, said = start(tmp_path)
    assert (found > 0, said) == (True, "")
    for entry in folder.glob("*-cache"):
        content = bytearray(entry.read_bytes())
        content[len(content) // 2] ^= 1
        entry.write_bytes(content)
    assert start(tmp_path) == (0, f"{folder} had a damaged program: it is compiled again")
    assert start(tmp_path) == (found, "")
    # As a program leaves it that was killed while it wrote, or that still writes it.
    unfinished = folder / "new-cache"
    unfinished.write_bytes(b"half")
    assert start(tmp_path) == (found, "")
    assert unfinished.exists()
    os.utime(unfinished, (0, 0))
    assert start(tmp_path) == (found, "")
    assert not unfinished.exists()


def test_a_folder_that_the_user_names_is_left_to_jax(start, tmp_path):
    assert start(tmp_path, tmp_path / "own") == (0, "")
    assert not (tmp_path / "painting_jax" / "compiled").exists()


def test_where_nothing_can_be_written_nothing_is_kept(start, tmp_path):
    (tmp_path / "painting_jax").write_text("a file in the place of the folder")
    assert start(tmp_path) == (0, "")


def test_the_oldest_programs_go_when_the_folder_is_full(start, tmp_path):
    folder = tmp_path / "painting_jax" / "compiled"
    start(tmp_path)
    sizes = {entry: entry.stat().st_size for entry in folder.glob("*-cache")}
    for age, entry in enumerate(sizes):
        os.utime(entry, (1e9 - age, 1e9 - age))
    newest, *_ = sizes
    assert len(sizes) > 1
    start(tmp_path, most=sizes[newest])
    assert list(folder.glob("*-cache")) == [newest]
    assert list(json.loads((folder / "checksums.json").read_text())) == [newest.name]
