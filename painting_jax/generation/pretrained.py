"""Paints with published weights: a prompt and a picture to a video, played backwards."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float, UInt8

from painting_jax import media
from painting_jax.checkpoints import adapters, components
from painting_jax.checkpoints.components import (
    Loaded,
    image_tokens,
    load_image_encoder,
    load_transformer,
    load_vae,
    transformer_maker,
)
from painting_jax.checkpoints.diffusers_folder import Expert, Folder
from painting_jax.data import pictures
from painting_jax.diffusion.reverse_painting import reverse, to_float, to_uint8
from painting_jax.diffusion.stepwise import stepwise
from painting_jax.errors import UserError
from painting_jax.generation import denoising, resolution
from painting_jax.generation.job import Job, Painted
from painting_jax.generation.sampling_config import Recipe, Wishes
from painting_jax.models import lora
from painting_jax.models.wan.conditioning import WanConditions, image_conditioning, with_first_frame
from painting_jax.models.wan.picture_condition import picture_condition
from painting_jax.models.wan.transformer import WanConfig
from painting_jax.models.wan.vae import WanVAE
from painting_jax.sharding.mesh import make_mesh
from painting_jax.text import embeddings as text_embeddings


@dataclasses.dataclass(frozen=True)
class Painting:
    """A job on its way, on the host.

    Attributes:
      job: that asked for it.
      picture_HWC: uint8, of the video's size.
      prompt: that it is painted by.
      conditions: of prompt and picture.
      others: of the negative prompt and the picture.
      state: of the sampler.
    """

    job: Job
    picture_HWC: UInt8[np.ndarray, "h w 3"]
    prompt: str
    conditions: WanConditions | None = None
    others: WanConditions | None = None
    state: Any = None


class PretrainedPainter:
    """A `Painter` with the weights of a diffusers folder.

    One component after the other is on the devices: the text encoder and the image encoder are
    freed before a transformer is loaded, and of two transformers the first before the second.

    Args:
      folder: of the model.
      wishes: of the user.
      mesh: to lay the components out on; None = all devices along its tensor axis.
      dtype: that transformer and text encoder are kept and computed in; None = bfloat16, or
        float32 on a CPU.
      loras: for each transformer.
      keep_apart: LoRAs beside the kernels instead of merged into them.
      files: single files of transformers in place of the folder's own; None = its own.
      cache: folder of known text embeddings; None = the user's.
      said: is told what each LoRA changes.

    Attributes:
      recipe: how it samples.

    Raises:
      UserError: if the model is none that can paint a picture so, or a LoRA does not fit it.
    """

    def __init__(
        self,
        folder: Folder,
        wishes: Wishes,
        *,
        mesh: Mesh | None = None,
        dtype=None,
        loras: Sequence[Sequence[adapters.LoraSpec]] = (),
        keep_apart: bool = False,
        files: tuple[str | None, ...] = (),
        cache: str | None = None,
        said: Callable[[str], object] = print,
    ):
        self._folder, self._wishes = folder, wishes
        self._mesh = mesh or make_mesh({"data": 1, "fsdp": 1, "tensor": -1, "sequence": 1})
        self._dtype = dtype or ("float32" if jax.default_backend() == "cpu" else "bfloat16")
        self._cache, self._keep_apart = cache, keep_apart
        self._experts, self._files = folder.experts(files), files
        self._vae_source, self._vae_config = folder.vae()
        self._codec = nnx.eval_shape(lambda: WanVAE(self._vae_config))
        self._boundary = folder.boundary
        self.recipe = Recipe.of(folder, self._vae_config, wishes)
        if len(loras) > len(self._experts):
            raise UserError(f"--lora_2: {folder.name} has one transformer, name it with --lora")
        self._loras = [*loras, *[()] * (len(self._experts) - len(loras))]
        self._experts = [
            Expert.of(adapters.widened(expert.source, named))
            for expert, named in zip(self._experts, self._loras, strict=True)
        ]
        if any(expert.config != self._config for expert in self._experts):
            raise UserError(
                f"--lora and --lora_2 would give the transformers of {folder.name} other channels "
                "than each other: name LoRAs of one kind for both"
            )
        self._conditioning = self._check_takes_pictures(trained=any(self._loras) or any(files))
        for source in (*(expert.source for expert in self._experts), self._vae_source):
            components.check(source)
        resolution.check_frames(self.recipe.frames, self._codec)
        self._multiple = self._codec.spatial * self._config.patch[1]
        resolution.completed((1, 1), wishes.height, wishes.width, self.recipe.area, self._multiple)
        self._shapes = {}
        if any(self._loras):
            make_model = transformer_maker(self._experts[0], self._dtype)
            self._shapes = lora.kernels(nnx.eval_shape(make_model))
        self._lora_files = [adapters.read(named, self._shapes) for named in self._loras]
        for named, found in zip(self._loras, self._lora_files, strict=True):
            for one, file in zip(named, found, strict=True):
                said(f"{one.title} changes {file}")

    @property
    def label(self) -> str:
        files = [pathlib.Path(file).stem for file in self._files if file]
        loras = [one.title for named in self._loras for one in named]
        return " + ".join([self._folder.title, *files, *loras])

    @property
    def _config(self) -> WanConfig:
        return self._experts[0].config

    def _check_takes_pictures(self, *, trained: bool) -> str:
        name = self._folder.name
        try:
            conditioning = image_conditioning(self._config, self._codec)
        except ValueError as error:
            raise UserError(f"{name} is no model that paints a picture: {error}") from error
        if conditioning == "first frame" and not (self._folder.takes_first_frame or trained):
            raise UserError(
                f"{name} makes videos from text alone: name an image-to-video model (such as "
                "Wan2.1-I2V-14B-480P or Wan2.2-TI2V-5B), or with --lora one that was trained to "
                "take the picture as the first frame"
            )
        if self._config.image_dim and not self._folder.has("image_encoder"):
            raise UserError(f"{name} lacks the image_encoder that its transformer needs: add it")
        encoders = ["image_encoder"] if self._config.image_dim else []
        for component in ("tokenizer", "text_encoder", *encoders):
            # Found now, not after an hour.
            self._folder.folder(component)
        return conditioning

    def generate(self, jobs: Sequence[Job]) -> Iterator[Painted]:
        paintings = [self._begun(job) for job in jobs]
        texts = self._texts(paintings)
        tokens = self._image_tokens(paintings)
        vae = load_vae(self._vae_source, mesh=self._mesh)
        recipe = self.recipe
        sampler = stepwise(recipe.sampler, recipe.steps, recipe.shift, self._wishes.seed)
        paintings = [
            self._ready(painting, vae, texts, image_BLE, sampler.start)
            for painting, image_BLE in zip(paintings, tokens, strict=True)
        ]
        stages = sampler.stages(self._boundary)
        with tqdm.tqdm(total=len(jobs) * recipe.steps, unit="step", disable=None) as progress:
            for index, (steps, guidance) in enumerate(zip(stages, recipe.guidance, strict=True)):
                if steps[0] == steps[1]:
                    continue
                transformer = self._transformer(index)
                last = steps[1] == recipe.steps
                for place, painting in enumerate(paintings):
                    state = denoising.advance(
                        transformer,
                        sampler,
                        painting.state,
                        steps,
                        painting.conditions,
                        painting.others,
                        guidance=guidance,
                        in_turn=self._wishes.in_turn,
                        mesh=self._mesh,
                        done=progress.update,
                    )
                    if last:
                        yield self._finished(painting, vae, sampler.sample(state))
                    else:
                        state = jax.tree.map(np.asarray, state)
                        paintings[place] = dataclasses.replace(painting, state=state)
                del transformer, state

    def _begun(self, job: Job) -> Painting:
        """A job with its picture and its prompt, everything checked."""
        picture_HWC, _ = job.subject.load()
        height, width = resolution.completed(
            picture_HWC.shape[:2],
            self._wishes.height,
            self._wishes.width,
            self.recipe.area,
            self._multiple,
        )
        self._noise((height, width))
        parts = media.mixture(job.medium)
        if len(parts) > 1 and not self._wishes.prompt:
            raise UserError(
                f"--medium={job.medium}: a published model is asked in words, for one medium; "
                "write what you mean with --prompt"
            )
        prompt = self._wishes.prompt or media.prompt(parts)
        return Painting(job, pictures.resize(picture_HWC, height, width), prompt)

    def _noise(self, size_HW: tuple[int, int]) -> Float[np.ndarray, "1 t h w c"]:
        shape = resolution.latents_shape(self._codec, self.recipe.frames, *size_HW)
        given = self._wishes.noise_BCTHW
        if given is None:
            return np.asarray(jax.random.normal(jax.random.key(self._wishes.seed), (1, *shape)))
        noise_BTHWC = np.moveaxis(given, 1, -1) if given.ndim == 5 else given
        if noise_BTHWC.shape != (1, *shape):
            expected = (1, shape[-1], *shape[:-1])
            raise UserError(
                f"--noise={self._wishes.noise_name} holds {list(given.shape)}: for this video it "
                f"must be {list(expected)} (batch, channels, frames, height, width of the latents)"
            )
        return noise_BTHWC.astype(np.float32)

    def _texts(self, paintings: Sequence[Painting]) -> dict[str, Float[np.ndarray, "1 l d"]]:
        """Embeddings of all prompts, padded."""
        prompts = {painting.prompt for painting in paintings} | {self._wishes.negative_prompt}
        found = text_embeddings.embed_prompts(
            self._folder,
            sorted(prompts),
            mesh=self._mesh,
            dtype=self._dtype,
            cache=self._cache,
        )
        return {prompt: text_embeddings.pad([embedding]) for prompt, embedding in found.items()}

    def _image_tokens(
        self, paintings: Sequence[Painting]
    ) -> list[Float[np.ndarray, "1 l e"] | None]:
        if not self._config.image_dim:
            return [None] * len(paintings)
        encoder = load_image_encoder(self._folder, mesh=self._mesh)
        return [image_tokens(encoder, painting.picture_HWC) for painting in paintings]

    def _ready(self, painting: Painting, vae: Loaded, texts, image_BLE, start) -> Painting:
        """A painting with its conditions and its noise."""
        image_BTHWC = np.asarray(
            _encode(
                vae.graph,
                self._config,
                self.recipe.frames,
                vae.params,
                painting.picture_HWC[None],
            )
        )
        noise_BTHWC = jnp.asarray(self._noise(painting.picture_HWC.shape[:2]))
        if self._conditioning == "first frame":
            noise_BTHWC = with_first_frame(noise_BTHWC, image_BTHWC)

        def conditions(prompt: str) -> WanConditions:
            return WanConditions(texts[prompt], image_BTHWC=image_BTHWC, image_BLE=image_BLE)

        return dataclasses.replace(
            painting,
            conditions=conditions(painting.prompt),
            others=conditions(self._wishes.negative_prompt),
            state=jax.tree.map(np.asarray, start(noise_BTHWC)),
        )

    def _transformer(self, index: int) -> Loaded:
        expert: Expert = self._experts[index]
        if not self._loras[index]:
            return load_transformer(expert, mesh=self._mesh, dtype=self._dtype)
        return adapters.apply(
            load_transformer(expert, mesh=self._mesh, dtype=self._dtype),
            self._loras[index],
            self._lora_files[index],
            self._shapes,
            merge=not self._keep_apart,
        )

    def _finished(self, painting: Painting, vae: Loaded, latents_BTHWC) -> Painted:
        first_frame = self._conditioning == "first frame"
        if first_frame:
            latents_BTHWC = with_first_frame(latents_BTHWC, painting.conditions.image_BTHWC)
        frames_BTHWC, raw_BTHWC = _decode(vae.graph, vae.params, latents_BTHWC)
        frames_THWC = np.asarray(frames_BTHWC[0])
        # A first frame that is the picture itself was not painted.
        painted_THWC = frames_THWC[:-1] if first_frame else frames_THWC
        return Painted(
            painting.job,
            painted_THWC,
            self._parameters(painting),
            raw_THWC=np.asarray(raw_BTHWC[0]),
        )

    def _parameters(self, painting: Painting) -> dict:
        height, width = painting.picture_HWC.shape[:2]
        wishes, recipe = self._wishes, self.recipe
        noise = {"noise": wishes.noise_name} if wishes.noise_name else {}
        return {
            "image": painting.job.subject.origin,
            "medium": media.mixture(painting.job.medium),
            "prompt": painting.prompt,
            "negative_prompt": wishes.negative_prompt,
            "pretrained": self._folder.title,
            "transformers": [pathlib.Path(file).stem for file in self._files if file],
            "lora": [[one.title for one in named] for named in self._loras],
            "height": height,
            "width": width,
            "frames": recipe.frames,
            "sampler": recipe.sampler,
            "steps": recipe.steps,
            "shift": recipe.shift,
            "guidance": recipe.guidance,
            "dtype": jnp.dtype(self._dtype).name,
            "seed": wishes.seed,
            **noise,
        }


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _encode(graph, config, frames: int, params, picture_BHWC) -> Float[Array, "b t h w c"]:
    """The condition that a picture in 0..255 is."""
    return picture_condition(nnx.merge(graph, params), config, to_float(picture_BHWC), frames)


@functools.partial(jax.jit, static_argnums=0)
def _decode(
    graph, params, latents_BTHWC
) -> tuple[UInt8[Array, "b t h w 3"], Float[Array, "b t h w 3"]]:
    """Frames in painted order, in 0..255 and in 0..1."""
    video_BTHWC = reverse(nnx.merge(graph, params).decode(latents_BTHWC))
    return to_uint8(video_BTHWC), (video_BTHWC + 1) / 2
