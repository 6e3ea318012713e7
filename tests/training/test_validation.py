"""Contact sheets of a training: which processes they show, and what is said of them."""

import numpy as np
import pytest

from painting_jax.data import pipeline
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from painting_jax.training import validation
from painting_jax.training.validation import ContactSheets
from tests.training.published_run import ONE_DEVICE


@pytest.fixture
def sheets(tiny, tmp_path):
    """Makes the sheets of a split with a number of samples asked for."""

    def make(split: str, samples: int) -> ContactSheets:
        tiny.log.samples = samples
        source = pipeline.DataSource(tiny.data.data_dir, split)
        task = FromScratch(tiny)
        tokenizer = TokenConditioner(Tokenizer.train(source.captions()), tiny.data.text_length)
        data = tiny.data
        examples = pipeline.Examples(
            task.frames, data.height, data.width, tokenizer, tiny.model.media
        )
        return ContactSheets(task, source, examples, tmp_path, ONE_DEVICE)

    return make


@pytest.mark.parametrize(("samples", "shown"), [(1, 1), (3, 3), (8, 8), (100, 8)])
def test_no_process_is_shown_twice(sheets, samples, shown):
    rows = sheets("train", samples).rows
    assert len(rows) == len(set(rows)) == shown


def test_rows_say_medium_and_caption(sheets, tiny):
    made = sheets("validation", 2)
    source = pipeline.DataSource(tiny.data.data_dir, "validation")
    records = [source.record(row) for row in (0, len(source) - 1)]
    assert made.rows == [f"{one.id}, {one.medium}: {one.caption}" for one in records]
    assert all(record.caption for record in records)


def test_titles_of_the_rows_are_drawn(sheets, tiny, monkeypatch):
    made, drawn = sheets("validation", 2), {}
    monkeypatch.setattr(validation, "paint", lambda *_: [np.stack(made._recorded)])
    contact_sheet = validation.contact_sheet

    def draw(frames, *arguments, **options):
        drawn.update(options)
        return contact_sheet(frames, *arguments, **options)

    monkeypatch.setattr(validation, "contact_sheet", draw)
    task = made._task
    monkeypatch.setattr(type(task), "networks", lambda *_: [])
    sheet_HWC = made.paint(5, {}, {})
    first, second = made.rows
    assert drawn["row_titles"] == [first, "painted", second, "painted"]
    assert sheet_HWC.ndim == 3
