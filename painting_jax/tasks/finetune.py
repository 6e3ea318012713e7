"""Finetuning a published model: adapters (LoRA) of its transformer, or all of it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax.checkpoints import lora_files, lora_keys
from painting_jax.checkpoints.components import load_decoder, load_named, load_transformer
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.checkpoints.save import CONFIG, save_folder
from painting_jax.models import lora
from painting_jax.models.clip import params as clip_names
from painting_jax.models.wan import params as wan_names
from painting_jax.models.wan.params import diffusers_config
from painting_jax.sharding.rules import gathered, replicated
from painting_jax.tasks import initial_lora, published
from painting_jax.tasks.exports import LORA_FILE, TRANSFORMER
from painting_jax.tasks.task import Task, abstract_network, make_model, make_network
from painting_jax.text import embeddings
from painting_jax.text.conditioner import PromptConditioner

EMBEDDINGS = "text_embeddings"  # Subfolder of a run for the embeddings of its prompts.


class Finetune(Task):
    """Trains a transformer of a diffusers folder. All other components are frozen.

    Checkpoints do not hold frozen components. They are loaded from the folder again when a run is
    resumed. If the model has two experts, one is trained, at the noise levels at which it samples.
    The other one is loaded for sampling.
    """

    def __init__(self, config: ConfigDict, folder: Folder):
        """Makes the task.

        Args:
          config: Config of the experiment.
          folder: Published model that fits the config, see `published.open_base`.
        """
        self._folder = folder
        self._experts, self._boundary = folder.experts(), folder.boundary
        self._expert = published.expert_index(config)
        _, vae_config = folder.vae()
        model = dataclasses.replace(
            make_model(config),
            config=self._experts[self._expert].config,
            codec_config=vae_config,
        )
        if model.config.image_dim:
            encoder = clip_names.config(folder.source("image_encoder").config)
            model = dataclasses.replace(model, image_encoder_config=encoder)
        super().__init__(config, model, published.sigma_range(config, self._boundary))
        self.full_finetune = not config.lora.enabled
        adapters = "" if self.full_finetune else f" with a new LoRA of rank {config.lora.rank}"
        expert = f", the expert for {config.pretrained.expert} noise," if self._boundary else ""
        self.origin = f"{folder.title}{expert}{adapters}"
        self._dtype = published.frozen_dtype(config)

    @property
    def experts(self):
        return len(self._experts)

    @property
    def boundary(self):
        return self._boundary

    def _with_adapters(self) -> nnx.Module:
        transformer = self._make()
        lora.attach(transformer, self._new_adapters(transformer))
        return transformer

    def _make(self) -> nnx.Module:
        return make_network(self.config, self.model, nnx.Rngs(0))

    def _new_adapters(self, transformer: nnx.Module) -> dict[str, lora.Branch]:
        key, shapes = jax.random.key(self.config.seed), self._adapted(transformer)
        return lora.init_branches(key, shapes, self.config.lora.rank)

    def _adapted(self, transformer: nnx.Module) -> dict[str, tuple[int, ...]]:
        """Shapes of the kernels that have an adapter, by path."""
        return lora_keys.targets(self.config.lora.targets, lora.kernels(transformer))

    @property
    def _abstract(self) -> nnx.Module:
        """The transformer without adapters, with shapes in the place of arrays."""
        return abstract_network(self.config, self.model)

    @functools.cached_property
    def _quantised(self) -> tuple[str, ...]:
        """Paths of the linear layers of the trained transformer whose kernels are in int8."""
        if not published.is_quantised(self.config):
            return ()
        return tuple(self._adapted(self._abstract))

    @functools.cached_property
    def _graph(self):
        if self.full_finetune:
            return self._frozen_graph
        return nnx.graphdef(nnx.eval_shape(self._with_adapters))

    @functools.cached_property
    def _frozen_graph(self):
        return nnx.graphdef(self._abstract)

    def init_params(self):
        if self.full_finetune:
            # Only the shapes are used: `load_params` provides the values.
            return nnx.to_pure_dict(nnx.state(self._make(), nnx.Param))
        return lora.as_tree(self._new_adapters(self._abstract))

    def load_params(self, mesh):
        if self.full_finetune:
            return self._load(self._expert, mesh, jnp.float32)
        if initial_lora.is_named(self.config):
            log = print if jax.process_index() == 0 else lambda line: None
            tree = lora.as_tree(initial_lora.read(self.config, self.model.config, log=log))
            return jax.device_put(tree, replicated(mesh))
        return None

    def text_conditioner(self, workdir, sources, mesh):
        conditioner = PromptConditioner(
            functools.partial(
                embeddings.embed_prompts,
                self._folder,
                mesh=mesh,
                dtype=self._dtype,
                cache=epath.Path(workdir) / EMBEDDINGS,
            )
        )
        conditioner.prepare({pair for source in sources for pair in source.captions_and_media()})
        return conditioner

    def load_frozen(self, mesh, text_conditioner):
        empty_text_LD = text_conditioner.embedding("")
        return self._beside(empty_text_LD, mesh) | self.load_encoders(mesh)

    def load_encoders(self, mesh: Mesh) -> dict:
        """Parameters of the networks that encode clips and pictures, for `VideoModel.encoders`."""
        encoders = {"codec": load_named(self._folder, "vae", mesh=mesh).params}
        if self.model.image_encoder_config is not None:
            encoders["image_encoder"] = load_named(self._folder, "image_encoder", mesh=mesh).params
        return encoders

    def load_without_encoders(self, mesh, empty_text_LD):
        decoder = load_decoder(self._folder, mesh=mesh)
        return self._beside(empty_text_LD, mesh) | {"codec": decoder.params}

    def _beside(self, empty_text_LD: np.ndarray, mesh: Mesh) -> dict:
        """Frozen arrays beside those of the encoders."""
        frozen = {"empty_text_LD": jax.device_put(empty_text_LD, replicated(mesh))}
        if not self.full_finetune:
            frozen["transformer"] = self._load(self._expert, mesh, self._dtype, self._quantised)
        if self._boundary:
            # It has no adapters, in whose layers alone kernels are quantised.
            frozen["other_expert"] = self._load(1 - self._expert, mesh, self._dtype)
        return frozen

    def _load(self, expert: int, mesh, dtype, quantised=()) -> dict:
        source = self._experts[expert]
        return load_transformer(source, mesh=mesh, dtype=dtype, quantised=quantised).params

    def network(self, params, frozen, expert=None):
        if expert not in (None, self._expert):
            return self._frozen_graph, frozen["other_expert"]
        if not self.full_finetune:
            params = lora.join_params(frozen["transformer"], gathered(params))
        return self._graph, params

    def export(self, params, workdir, *, final):
        workdir = epath.Path(workdir)
        if not self.full_finetune:
            # Every process gathers the whole LoRA, however it is sharded.
            everywhere = replicated(jax.tree.leaves(params)[0].sharding.mesh)
            gathered = jax.jit(lambda tree: tree, out_shardings=everywhere)(params)
            if jax.process_index() == 0:
                branches = lora.from_tree(jax.tree.map(np.asarray, gathered))
                factors, first_frame = lora.unstack(branches), self.model.conditioning_frames > 0
                lora_files.write(workdir / LORA_FILE, factors, "diffusers", first_frame=first_frame)
        # If the folder exists, the run wrote it and was interrupted right after. Resuming ends with
        # the same parameters, so that it need not be written again.
        elif final and not (workdir / TRANSFORMER / CONFIG).exists():
            config_json = diffusers_config(self.model.config)
            save_folder(params, workdir / TRANSFORMER, wan_names.DIFFUSERS, config_json)
