"""Training a published model further: adapters of its transformer, or all of it."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import nnx
from ml_collections import ConfigDict

from painting_jax.checkpoints import lora_files
from painting_jax.checkpoints.components import load_image_encoder, load_transformer, load_vae
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.checkpoints.save import save_folder
from painting_jax.diffusion import wan_process
from painting_jax.diffusion.reverse_painting import to_uint8
from painting_jax.diffusion.wan_process import Eyes
from painting_jax.models import lora
from painting_jax.models.clip import params as clip_names
from painting_jax.models.clip.modeling import CLIPVision
from painting_jax.models.wan import conditioning as wan_painting
from painting_jax.models.wan import params as wan_names
from painting_jax.models.wan.params import diffusers_config
from painting_jax.models.wan.transformer import WanTransformer
from painting_jax.models.wan.vae import WanVAE
from painting_jax.sharding.rules import replicated
from painting_jax.tasks import expert, starting_lora
from painting_jax.tasks.exports import LORA_FILE, TRANSFORMER
from painting_jax.tasks.objective import make_objective
from painting_jax.text import prompt_embeddings as text
from painting_jax.text.conditioner import Prompts

EMBEDDINGS = "text_embeddings"  # folder in a run's, of its prompts


class WanTask:
    """A `Task`: a Wan transformer of a diffusers folder, whose other parts stay as they are.

    The base is reloaded from the folder when a run is resumed; checkpoints do not hold it. Of a
    model with two transformers one is trained, at the noise levels that it paints at, and the other
    is there to paint with.
    """

    def __init__(self, config: ConfigDict, folder: Folder):
        """Takes the experiment and the published model, which have been checked to fit."""
        self.config = config
        self._folder = folder
        self._experts, self._boundary = folder.experts(), folder.boundary
        self._place = expert.place(config)
        self._vae_source, self._vae_config = folder.vae()
        self.transformer = self._experts[self._place].config
        self.codec = nnx.eval_shape(lambda: WanVAE(self._vae_config))
        self.whole = not config.lora.enabled
        new = "" if self.whole else f" with a new LoRA of rank {config.lora.rank}"
        which = f", the expert for {config.pretrained.expert} noise," if self._boundary else ""
        self.origin = f"{folder.title}{which}{new}"
        self._image_encoder = None
        if self.transformer.image_dim:
            sizes = clip_names.config(folder.source("image_encoder").config)
            self._image_encoder = nnx.eval_shape(lambda: CLIPVision(sizes, rngs=nnx.Rngs(0)))
        eyes = Eyes(self.codec, self.transformer)
        self.objective = make_objective(
            config, given=eyes.given, between=expert.levels(config, self._boundary)
        )
        self.frames = config.data.frames - eyes.given
        self._graph = nnx.graphdef(nnx.eval_shape(self._make))
        self._bare_graph = nnx.graphdef(nnx.eval_shape(self._make_bare))
        self._dtype = jnp.dtype(config.pretrained.dtype)

    def _make_bare(self) -> WanTransformer:
        model = self.config.model
        return WanTransformer(
            self.transformer, rngs=nnx.Rngs(0), dtype=jnp.dtype(model.dtype), remat=model.remat
        )

    def _make(self) -> WanTransformer:
        transformer = self._make_bare()
        if not self.whole:
            lora.attach(transformer, self._fresh(transformer))
        return transformer

    def _fresh(self, transformer: WanTransformer) -> dict[str, lora.Branch]:
        settings = self.config.lora
        shapes = lora_files.targets(settings.targets, lora.kernels(transformer))
        return lora.fresh(jax.random.key(self.config.seed), shapes, settings.rank)

    def init_params(self):
        if self.whole:
            # Of these the shapes alone are asked for: `load_params` has the values.
            return nnx.to_pure_dict(nnx.state(self._make(), nnx.Param))
        bare = nnx.eval_shape(lambda: WanTransformer(self.transformer, rngs=nnx.Rngs(0)))
        return lora.as_tree(self._fresh(bare))

    def load_params(self, mesh):
        if self.whole:
            return self._load(self._place, mesh, jnp.float32)
        if starting_lora.named(self.config):
            tree = lora.as_tree(starting_lora.read(self.config, self.transformer))
            return jax.device_put(tree, replicated(mesh))
        return None

    def words(self, workdir, sources, mesh):
        words = Prompts(
            functools.partial(
                text.embed,
                self._folder,
                mesh=mesh,
                dtype=self._dtype,
                cache=epath.Path(workdir) / EMBEDDINGS,
            )
        )
        words.expect({pair for source in sources for pair in source.captions_and_media()})
        return words

    def load_frozen(self, mesh, words):
        empty_LD = jax.device_put(words.embedding(""), replicated(mesh))
        vae = load_vae(self._vae_source, self._vae_config, mesh=mesh)
        frozen = {"empty_LD": empty_LD, "vae": vae.params}
        if self._image_encoder is not None:
            frozen["image_encoder"] = load_image_encoder(self._folder, mesh=mesh).params
        if not self.whole:
            frozen["transformer"] = self._load(self._place, mesh, self._dtype)
        if self._boundary:
            # It paints its part of the steps, and is no part of training.
            frozen["other"] = self._load(1 - self._place, mesh, self._dtype)
        return frozen

    def _load(self, place: int, mesh, dtype) -> dict:
        return load_transformer(self._experts[place], mesh=mesh, dtype=dtype).params

    def model(self, params, frozen):
        transformer = self._transformer(params, frozen)

        def velocity(noisy_BTHWC, sigma_B, conditions):
            return wan_painting.velocity(transformer, noisy_BTHWC, 1000 * sigma_B, conditions)

        return velocity

    def encode(self, batch, reference_BHWC, frozen):
        return wan_process.encode_process(batch, reference_BHWC, self._eyes(frozen))

    def drop(self, key, given, frozen):
        probability = self.objective.drop["text"]
        return wan_process.drop_text(key, given, frozen["empty_LD"], probability)

    def paint(self, params, frozen, batch, seed_B, *, steps, guidance):
        transformers = [self._transformer(params, frozen)]
        if self._boundary:
            other = nnx.merge(self._bare_graph, frozen["other"])
            transformers.insert(1 - self._place, other)
        frames_BTHWC = wan_process.paint_process(
            transformers,
            batch,
            seed_B,
            self._eyes(frozen),
            empty_LD=frozen["empty_LD"],
            steps=steps,
            shift=self.config.sampling.shift,
            guidance_scale=guidance,
            boundary=self._boundary,
        )
        return to_uint8(frames_BTHWC)

    def export(self, params, workdir, *, final):
        workdir = pathlib.Path(workdir)
        if not self.whole:
            # Every process sees all of it, wherever its parts lie.
            everywhere = replicated(jax.tree.leaves(params)[0].sharding.mesh)
            whole = jax.jit(lambda tree: tree, out_shardings=everywhere)(params)
            if jax.process_index() == 0:
                branches = lora.from_tree(jax.tree.map(np.asarray, whole))
                factors, first_frame = lora.separate(branches), self.objective.given > 0
                lora_files.write(workdir / LORA_FILE, factors, "diffusers", first_frame=first_frame)
        # What a run ends with is always the same: there already, it was cut off right after.
        elif final and not (workdir / TRANSFORMER).exists():
            table, sizes = wan_names.DIFFUSERS, diffusers_config(self.transformer)
            save_folder(params, workdir / TRANSFORMER, table, sizes)

    def _transformer(self, params: dict, frozen: dict) -> WanTransformer:
        if not self.whole:
            params = lora.together(frozen["transformer"], params)
        return nnx.merge(self._graph, params)

    def _eyes(self, frozen: dict) -> Eyes:
        encoder = self._image_encoder
        if encoder is not None:
            encoder = nnx.merge(nnx.graphdef(encoder), frozen["image_encoder"])
        vae = nnx.merge(nnx.graphdef(self.codec), frozen["vae"])
        return Eyes(vae, self.transformer, encoder)
