"""A run that finetuned published weights is on offer beside the others, and paints."""

import numpy as np
import pytest

from configs import wan22_ti2v_5b
from painting_jax import media
from painting_jax.checkpoints import random_folder
from painting_jax.studio.offers import Offers
from painting_jax.studio.server import Studio
from painting_jax.tasks.task import make_model
from painting_jax.text.tokenizer import Tokenizer
from painting_jax.training import loop, validation
from tests.studio import rooms
from tests.training.published_run import one_device

_FRAMES = 5


@pytest.fixture(scope="module")
def run(painted_dir, tmp_path_factory):
    """Two steps of a LoRA on a tiny random model in the place of a published one."""
    root = tmp_path_factory.mktemp("finetuned")
    config = wan22_ti2v_5b.get_config("lora,rank=2,steps=2,tiny")
    prompts = [medium.prompt for medium in media.MEDIA.values()]
    sizes, tokenizer = make_model(config).config, Tokenizer.train(prompts)
    random_folder.write(root / "wan", config.model.family, sizes, tokenizer=tokenizer, seed=0)
    config.pretrained.path = str(root / "wan")
    config.data.data_dir = str(painted_dir)
    config.data.update(frames=_FRAMES, height=32, width=64, batch_size=2, buckets=())
    config.data.allow_upscaling = True
    config.sampling.update(steps=2, guidance=1.0)
    with one_device(), pytest.MonkeyPatch.context() as patch:
        # Its sheet would be painted as the studio paints.
        patch.setattr(validation.ContactSheets, "paint", lambda *_: None)
        loop.train(config, root / "style")
    return root / "style"


def test_it_paints_and_says_what_it_cannot_be_told(run, tmp_path):
    offers = Offers.of([str(run)], None)
    traits = offers.find("run1").traits
    assert traits.label == "Run style"
    assert (traits.frames, traits.steps) == (_FRAMES, 2)
    assert not traits.takes_regions
    assert traits.takes_words
    with rooms.browser(Studio(tmp_path / "studio", offers)) as client:
        picture = rooms.sent(client)
        refused = client.post(
            "/api/works", json={"picture": picture, "model": "run1", "medium": "oil", "size": 64}
        )
        assert refused.status_code == 400
        assert "does not take other sizes" in refused.json()["error"]
        key = rooms.asked(client, picture, frames=None, seed=4)
        work = rooms.ended(client, key)
        assert work["state"] == "done", work["said"]
        assert {"tutorial.html", "process.mp4"} <= set(work["files"]["known"])
        assert str(tmp_path) not in client.get(f"/works/{key}/process.json").text
        shown = [
            rooms.pixels(client.get(f"/works/{key}/{name}").content)
            for name in work["files"]["steps"]
        ]
    # The first of its frames is the picture, from which it paints backwards.
    assert len(shown) == _FRAMES - 1
    assert np.ptp(shown[-1]) > 0
