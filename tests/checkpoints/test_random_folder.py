"""A random folder is read like a published one, here and by diffusers."""

import jax
import numpy as np
import pytest
from diffusers import AutoencoderKLWan, WanImageToVideoPipeline, WanTransformer3DModel
from PIL import Image

from configs import wan21_i2v_14b, wan22_ti2v_5b
from painting_jax.checkpoints import random_folder
from painting_jax.checkpoints.components import load_named
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.models.clip.modeling import preprocess
from painting_jax.models.wan.transformer import WanConfig
from painting_jax.sharding.mesh import make_mesh
from painting_jax.text.embeddings import embed_prompts
from painting_jax.text.tokenizer import Tokenizer

ONE_DEVICE = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])
SHIFT = 4.5
TOKENIZER = Tokenizer.train(["a cat in oil", "a dog"])
FAMILIES = {"wan21": (wan21_i2v_14b, 16), "wan22": (wan22_ti2v_5b, 48)}


def sizes(family: str) -> WanConfig:
    experiment, latents = FAMILIES[family]
    model = experiment.get_config("tiny").model
    names = ("dim", "layers", "heads", "ffn_dim", "text_dim", "in_channels", "image_dim")
    return WanConfig(**{name: model[name] for name in names}, out_channels=latents)


@pytest.fixture(scope="module", params=list(FAMILIES))
def made(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("random") / request.param
    random_folder.write(
        path, request.param, sizes(request.param), tokenizer=TOKENIZER, seed=0, shift=SHIFT
    )
    return request.param, Folder.open(path)


def test_the_transformer_has_the_sizes_asked_for(made):
    family, folder = made
    [expert] = folder.experts()
    assert expert.config == sizes(family)


def test_diffusers_reads_the_transformer_and_the_autoencoder(made):
    _, folder = made
    WanTransformer3DModel.from_pretrained(folder.folder("transformer"))
    vae = AutoencoderKLWan.from_pretrained(folder.folder("vae"))
    assert vae.config.z_dim == folder.vae()[1].latent_channels


def test_diffusers_reads_it_whole(made):
    family, folder = made
    pipeline = WanImageToVideoPipeline.from_pretrained(folder.path)
    assert pipeline.scheduler.config.flow_shift == SHIFT
    assert (pipeline.image_encoder is None) == (family == "wan22")
    if family == "wan21":
        picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
        expected = pipeline.encode_image(Image.fromarray(picture)).detach().numpy()
        encoder = load_named(folder, "image_encoder", mesh=ONE_DEVICE).model()
        actual = encoder(preprocess(picture[None], encoder.config.image_size))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_prompts_and_pictures_are_encoded(made, tmp_path):
    family, folder = made
    embedded = embed_prompts(
        folder, ["a cat in oil", ""], mesh=ONE_DEVICE, dtype="float32", cache=tmp_path
    )
    assert embedded["a cat in oil"].shape == (4, sizes(family).text_dim)
    assert np.isfinite(embedded["a cat in oil"]).all()
    if family == "wan21":
        load_named(folder, "image_encoder", mesh=ONE_DEVICE)
    assert folder.has("image_encoder") == (family == "wan21")


def test_the_same_seed_makes_the_same_weights(made, tmp_path):
    family, folder = made
    again = tmp_path / "again"
    random_folder.write(again, family, sizes(family), tokenizer=TOKENIZER, seed=0)
    for path in folder.path.rglob("*.safetensors"):
        assert (again / path.relative_to(folder.path)).read_bytes() == path.read_bytes()
