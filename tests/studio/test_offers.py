"""Published weights with a LoRA are on offer by a key, and paint as they do elsewhere."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from configs import wan21_i2v_14b
from painting_jax import media
from painting_jax.checkpoints import random_folder
from painting_jax.errors import UserError
from painting_jax.studio.offers import Offers
from painting_jax.studio.server import Studio
from painting_jax.studio.settings import Settings
from painting_jax.tasks.task import make_model
from painting_jax.text.tokenizer import Tokenizer
from tests.studio import rooms


@pytest.fixture(scope="module")
def offers(tmp_path_factory) -> Offers:
    """A tiny random model in the place of a published one, with a LoRA."""
    root = tmp_path_factory.mktemp("published")
    config = wan21_i2v_14b.get_config("tiny")
    prompts = [medium.prompt for medium in media.MEDIA.values()]
    sizes = make_model(config).config
    random_folder.write(
        root / "wan", config.model.family, sizes, tokenizer=Tokenizer.train(prompts), seed=0
    )
    key, dim = "transformer.blocks.0.attn1.to_q", config.model.dim
    factors = {"lora_A": np.ones((2, dim), np.float32), "lora_B": np.ones((dim, 2), np.float32)}
    tensors = {f"{key}.{name}.weight": factor for name, factor in factors.items()}
    save_file(tensors, root / "style.safetensors")
    lora = f"{root / 'style.safetensors'}:0.5"
    return Offers.of([], str(root / "wan"), [lora], max_area=1024)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"medium": {"oil": 1, "ink": 1}}, "paints in one medium"),
        ({"order": [1]}, "does not take regions"),
        ({"size": 64}, "does not take other sizes"),
        ({"words": "sky, then trees"}, "numbered from 1 on"),
        ({"frames": 6}, "makes 4k"),
        ({"model": "run1"}, "not on offer"),
    ],
)
def test_what_published_weights_cannot_do_is_refused_before_it_waits(offers, changes, said):
    with pytest.raises(UserError, match=said):
        offers.check(Settings.of({"model": "published", "medium": "oil"} | changes), (48, 64))


def test_they_paint_step_by_step_and_tell_no_path(offers, tmp_path):
    assert offers.find("published").traits.label == "wan + style:0.5"
    with rooms.browser(Studio(tmp_path, offers)) as client:
        assert "/" not in client.get("/api/about").json()["models"]["published"]["label"]
        key = rooms.asked(
            client, rooms.sent(client), model="published", frames=5, words="1. sky 2. trees"
        )
        work = rooms.ended(client, key)
        assert work["state"] == "done", work["said"]
        assert len(work["files"]["steps"]) == 5
