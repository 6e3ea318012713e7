"""Where results go, and what is not deleted for them."""

import numpy as np
import pytest

from painting_jax.data.subjects import Subject
from painting_jax.errors import UserError
from painting_jax.generation import output_folders as places
from painting_jax.generation import outputs as tutorial
from tests.synthetic import recording


def named(name: str) -> Subject:
    return Subject(name, name, lambda: (np.zeros((8, 8, 3), np.uint8), None))


def write_result(folder) -> None:
    tutorial.write(folder, recording(count=3), title="cat, oil", model="tiny", parameters={})


def test_every_picture_has_a_folder_in_every_medium_even_two_of_one_name(tmp_path):
    jobs = places.jobs([named("cat"), named("cat")], ["oil", "oil:0.7,pencil:0.3"], tmp_path)
    assert [job.folder.name for job in jobs] == [
        "cat-oil",
        "cat-oil70-pencil30",
        "cat-oil+",
        "cat-oil70-pencil30+",
    ]


def test_an_earlier_result_and_an_empty_folder_may_be_replaced(tmp_path):
    write_result(tmp_path / "cat-oil")
    (tmp_path / "cat-oil" / ".DS_Store").write_text("as a file browser leaves it")
    (tmp_path / "dog-oil").mkdir()
    assert len(places.jobs([named("cat"), named("dog")], ["oil"], tmp_path)) == 2


@pytest.mark.parametrize("foreign", ["my_notes.txt", "steps/sketch.png", "drafts/01.png"])
def test_a_result_with_something_of_the_users_in_it_is_kept(tmp_path, foreign):
    write_result(tmp_path / "cat-oil")
    (tmp_path / "cat-oil" / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / "cat-oil" / foreign).write_text("mine")
    with pytest.raises(UserError, match=rf"cat-oil holds {foreign.split('/')[0]}"):
        places.jobs([named("cat")], ["oil"], tmp_path)


def test_a_folder_that_is_no_result_is_kept(tmp_path):
    (tmp_path / "cat-oil" / "steps").mkdir(parents=True)
    with pytest.raises(UserError, match=r"cat-oil has no process\.json"):
        places.jobs([named("cat")], ["oil"], tmp_path)


def test_a_file_in_the_place_of_a_result_is_kept(tmp_path):
    (tmp_path / "cat-oil").write_text("mine")
    (tmp_path / "dog-oil").symlink_to("nowhere")
    for name in ("cat", "dog"):
        with pytest.raises(UserError, match=f"{name}-oil is a file"):
            places.jobs([named(name)], ["oil"], tmp_path)


def test_a_name_with_a_backslash_gives_one_folder(tmp_path):
    [job] = places.jobs([named("c\\udce4t")], ["oil"], tmp_path)
    assert job.folder == tmp_path / "c_udce4t-oil"


@pytest.mark.parametrize("letter", ["a", "ä", "猫"])
def test_the_longest_names_are_shortened_and_stay_apart(tmp_path, letter):
    long = letter * (255 // len(letter.encode()))
    jobs = places.jobs([named(long), named(long)], ["oil:0.7,pencil:0.3"], tmp_path)
    assert len({job.folder for job in jobs}) == 2
    for job in jobs:
        job.folder.mkdir()
        assert job.folder.name.startswith(letter * 50)
        assert "-oil70-pencil30" in job.folder.name


def test_files_of_one_name_are_told_apart(tmp_path):
    """A result states the file's name alone: two pictures must not look like one."""
    jobs = places.jobs(
        [named("01.png"), named("02.png"), named("01.png")], ["oil", "ink"], tmp_path
    )
    assert [job.subject.origin for job in jobs[::2]] == ["01.png", "02.png", "01.png (2)"]
    assert [job.subject.origin for job in jobs[1::2]] == ["01.png", "02.png", "01.png (2)"]
