"""Painter with published weights: turns a picture and a prompt into a painting process."""

import functools
import hashlib
import math
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from jaxtyping import Float

from painting_jax import media, memory
from painting_jax.checkpoints import adapters, components, hub
from painting_jax.checkpoints.components import (
    Loaded,
    load_named,
    load_transformer,
)
from painting_jax.checkpoints.diffusers_folder import Expert, Folder
from painting_jax.checkpoints.source import Source
from painting_jax.data import pictures
from painting_jax.data.buckets import Shapes
from painting_jax.data.framing import Framing
from painting_jax.diffusion.sampling import (
    Network,
    Sampling,
    decode_video,
    denoise,
    latents_shape,
    prepare,
)
from painting_jax.errors import UserError
from painting_jax.generation import painting_order, resolution
from painting_jax.generation.devices import Devices
from painting_jax.generation.job import Job, Painted
from painting_jax.generation.magnitudes_file import MagnitudesFile
from painting_jax.generation.overrides import SamplingConfig, SamplingOverrides
from painting_jax.models.clip import params as clip_names
from painting_jax.models.codec import to_uint8
from painting_jax.models.family import VideoModel, family_of_codec
from painting_jax.text import embeddings
from painting_jax.user_cache import user_cache

# Aspects closer than this are the same: sides are rounded to multiples of up to 32 pixels.
_SAME_ASPECT = 0.95


class PretrainedPainter:
    """A `Painter` with the weights of a diffusers folder.

    Only the components in use are on the devices. Text and image encoder are freed before a
    transformer is loaded, and the first of two experts is freed before the second is loaded.

    Args:
      folder: Published model.
      overrides: Sampling overrides.
      devices: Devices that the model paints on; None = all, along the tensor axis. Those along
        data and fsdp share pictures of one shape that come one after the other.
      dtype: Dtype of the weights and the computation of transformer and text encoder; None =
        bfloat16, or float32 on a CPU.
      loras: LoRAs of each transformer.
      keep_apart: Whether LoRAs stay beside the kernels instead of being merged into them.
      files: Single files that replace the folder's transformers; None = the folder's own.
      takes_first_frame: Whether these are known to take the picture as the first frame.
      cache: Folder that caches text embeddings; None = the user's.
      magnitudes: File that keeps what the step cache measures; None = one in the user's cache.
      on_step: Called after each sampling step; what it raises ends the painting.
      log: Called with lines that say what each LoRA changes, which size of frames is taken, and
        what may be a mistake; None prints them, apart from the results, to standard error.

    Attributes:
      sampling: Sampling settings.

    Raises:
      UserError: If the model cannot paint pictures with these settings, or a LoRA does not fit it.
    """

    def __init__(
        self,
        folder: Folder,
        overrides: SamplingOverrides,
        *,
        devices: Devices | None = None,
        dtype=None,
        loras: Sequence[Sequence[adapters.LoraSpec]] = (),
        keep_apart: bool = False,
        files: tuple[str | None, ...] = (),
        takes_first_frame: bool = False,
        cache: str | None = None,
        magnitudes: pathlib.Path | None = None,
        on_step: Callable[[], object] | None = None,
        log: Callable[[str], object] | None = None,
    ):
        log = log or functools.partial(print, file=sys.stderr)
        self._folder, self._overrides, self._on_step = folder, overrides, on_step
        self._devices = devices or Devices.of(None, {"tensor": -1})
        self._mesh = self._devices.mesh
        self._dtype = dtype or ("float32" if jax.default_backend() == "cpu" else "bfloat16")
        self._cache, self._magnitudes, self._keep_apart = cache, magnitudes, keep_apart
        self._experts, self._files = folder.experts(files), files
        self._vae_source, vae_config = folder.vae()
        family = family_of_codec(vae_config)
        self.sampling = SamplingConfig.resolve(folder, family, overrides)
        if len(loras) > len(self._experts):
            raise UserError(f"--lora_2: {folder.name} has one transformer, name it with --lora")
        self._loras = [*loras, *[()] * (len(self._experts) - len(loras))]
        self._experts = [
            Expert.of(adapters.widened(expert.source, named))
            for expert, named in zip(self._experts, self._loras, strict=True)
        ]
        config = self._experts[0].config
        if any(expert.config != config for expert in self._experts):
            raise UserError(
                f"--lora and --lora_2 would give the transformers of {folder.name} other channels "
                "than each other: name LoRAs of one kind for both"
            )
        self._devices.check(config.heads)
        self._model = VideoModel(family, config, vae_config)
        self._check_takes_pictures(trained=any(self._loras) or any(files))
        if config.image_dim:
            encoder = clip_names.config(folder.source("image_encoder").config)
            self._model = VideoModel(family, config, vae_config, encoder)
        for source in (*(expert.source for expert in self._experts), self._vae_source):
            components.check(source)
        if self.sampling.area_note:
            log(self.sampling.area_note)
        memory.require(
            jnp.dtype(self._dtype).itemsize * max(_size(expert.source) for expert in self._experts),
            f"the transformer of {folder.name} in {jnp.dtype(self._dtype).name}",
            self._mesh.local_devices,
            "choose --dtype=bfloat16, a smaller model, or more devices",
        )
        codec = self._model.codec
        resolution.check_frames(self.sampling.frames, codec)
        self._multiple = codec.spatial * config.patch[1]
        resolution.completed(
            (1, 1), overrides.height, overrides.width, self.sampling.max_area, self._multiple
        )
        self._shapes, others = {}, {}
        if any(self._loras):
            transformer = components.architecture(self._experts[0].source)
            self._shapes, others = transformer.kernels, transformer.other_shapes
        self._lora_files = [adapters.read(named, self._shapes, others) for named in self._loras]
        for named, files_of_expert in zip(self._loras, self._lora_files, strict=True):
            for one, file in zip(named, files_of_expert, strict=True):
                apart = "; all but products of two factors is merged" * (
                    keep_apart and bool(file.changes)
                )
                log(f"{one.title} changes {file}{apart}")
        said = takes_first_frame or any(file.first_frame for of in self._lora_files for file in of)
        if self._model.conditioning_frames and not (folder.takes_first_frame or said):
            log(
                f"warning: {folder.name} makes videos from text alone, and nothing says that its "
                "LoRA or transformer was trained to take the picture as the first frame: the video "
                "may ignore the picture"
            )

    @property
    def label(self) -> str:
        files = [pathlib.Path(file).stem for file in self._files if file]
        loras = [one.title for named in self._loras for one in named]
        return " + ".join([self._folder.title, *files, *loras])

    def _check_takes_pictures(self, *, trained: bool) -> None:
        name, model = self._folder.name, self._model
        try:
            first_frame = model.conditioning_frames > 0
        except ValueError as error:
            raise UserError(f"{name} is no model that paints a picture: {error}") from error
        if first_frame and not (self._folder.takes_first_frame or trained):
            raise UserError(
                f"{name} makes videos from text alone: name an image-to-video model (such as "
                "Wan2.1-I2V-14B-480P or Wan2.2-TI2V-5B), or with --lora one that was trained to "
                "take the picture as the first frame"
            )
        if model.config.image_dim and not self._folder.has("image_encoder"):
            raise UserError(f"{name} lacks the image_encoder that its transformer needs: add it")
        encoders = ["image_encoder"] if model.config.image_dim else []
        for component in ("tokenizer", "text_encoder", *encoders):
            # A missing component is reported now rather than after an hour.
            self._folder.folder(component)

    def generate(self, jobs: Sequence[Job]) -> Iterator[Painted]:
        placed = [self._batch(job) for job in jobs]
        prompts = [self._prompt(job) for job in jobs]
        texts = self._embed({*prompts, self._overrides.negative_prompt})
        for (batch, _), prompt in zip(placed, prompts, strict=True):
            batch["text_BLD"] = texts[prompt]
            batch["negative_text_BLD"] = texts[self._overrides.negative_prompt]
        spans = _spans([batch for batch, _ in placed], self._devices.pictures)
        model, mesh, config = self._model, self._mesh, self.sampling
        sampling = Sampling(
            config.sampler,
            config.steps,
            config.shift,
            config.guidance,
            guide_on=("text",),
            sequential=self._overrides.sequential_guidance,
            boundary=self._folder.boundary,
            seed=self._overrides.seed,
        )
        frozen = {"codec": load_named(self._folder, "vae", mesh=mesh).params}
        if model.image_encoder_config is not None:
            frozen["image_encoder"] = load_named(self._folder, "image_encoder", mesh=mesh).params
        samples = [
            jax.tree.map(
                np.asarray, prepare(model, frozen, self._devices.filled(batch), sampling, mesh)
            )
            for batch in (_joined([placed[n][0] for n in span]) for span in spans)
        ]
        if model.image_encoder_config is not None:
            # Decoding needs only the codec. The encoder is freed to make room for the transformer.
            frozen.pop("image_encoder")
            model = VideoModel(model.family, model.config, model.codec_config)
        networks = [functools.partial(self._load, i) for i in range(len(self._experts))]
        threshold = self._overrides.step_cache
        file = self._magnitudes_file() if threshold else None
        cache = file.cache(threshold) if file else None
        with tqdm.tqdm(total=len(spans) * config.steps, unit="step", disable=None) as progress:

            def on_step() -> None:
                progress.update()
                if self._on_step:
                    self._on_step()

            denoised = denoise(
                model, networks, samples, sampling, mesh, cache=cache, on_step=on_step
            )
            for span, sample in zip(spans, denoised, strict=True):
                cached = {}
                if cache:
                    file.keep(cache)
                    cached = cache.parameters
                videos_BTHWC = decode_video(model, frozen, sample, mesh)
                for n, video_THWC in zip(span, videos_BTHWC, strict=False):
                    batch, framing = placed[n]
                    # Conditioning frames are not part of the painted process.
                    painted_THWC = video_THWC[: len(video_THWC) - model.conditioning_frames]
                    frames_THWC = np.asarray(to_uint8(painted_THWC))
                    size_HW = batch["reference_BHWC"].shape[1:3]
                    yield Painted(
                        jobs[n],
                        frames_THWC if framing is None else framing.cut(frames_THWC),
                        self._parameters(jobs[n], prompts[n], size_HW) | cached,
                        raw_THWC=np.asarray((video_THWC + 1) / 2),
                        progress_T=np.linspace(
                            self._overrides.canvas_progress, 1, len(painted_THWC)
                        ),
                    )

    def _batch(self, job: Job) -> tuple[dict[str, np.ndarray], Framing | None]:
        """A checked batch of one picture, without text embeddings.

        With buckets, a picture of another aspect than its bucket is padded; its place is returned.
        """
        overrides, model = self._overrides, self._model
        picture_HWC, _ = job.subject.load()
        shape_HW, framing = picture_HWC.shape[:2], None
        height, width = resolution.completed(
            shape_HW,
            overrides.height,
            overrides.width,
            self.sampling.max_area,
            self._multiple,
        )
        if overrides.buckets:
            shapes = Shapes(height, width, overrides.buckets)
            height, width = shapes.of(shape_HW)
            if shapes.kept(shape_HW) < _SAME_ASPECT:
                framing = Framing.of(shape_HW, height, width)

        def placed(picture_HWC: np.ndarray) -> np.ndarray:
            if framing is None:
                return pictures.resize(picture_HWC, height, width)
            return framing.place(picture_HWC)

        frames = self.sampling.frames - model.conditioning_frames
        batch = {
            "reference_BHWC": placed(picture_HWC)[None],
            "progress_BT": np.linspace(0, 1, frames, dtype=np.float32)[None],
            "seed_B": np.full(1, overrides.seed, np.int32),
        }
        if overrides.canvas_HWC is not None:
            batch["going_on_BHWC"] = placed(overrides.canvas_HWC)[None]
        if overrides.noise_BCTHW is not None:
            shape = latents_shape(model, self.sampling.frames, height, width)
            batch["noise_BTHWC"] = self._initial_noise(overrides.noise_BCTHW, shape)
        return batch, framing

    def _prompt(self, job: Job) -> str:
        mixture = media.mixture(job.medium)
        if len(mixture) > 1 and not self._overrides.prompt:
            raise UserError(
                f"--medium={job.medium}: a published model is asked in words, for one medium; "
                "write what you mean with --prompt"
            )
        prompt = self._overrides.prompt or media.prompt(mixture)
        return painting_order.in_prompt(prompt, self._overrides.order)

    def _initial_noise(
        self, noise: np.ndarray, shape: tuple[int, ...]
    ) -> Float[np.ndarray, "1 t h w c"]:
        noise_BTHWC = np.moveaxis(noise, 1, -1) if noise.ndim == 5 else noise
        if noise_BTHWC.shape != (1, *shape):
            expected = (1, shape[-1], *shape[:-1])
            raise UserError(
                f"--noise={self._overrides.noise_name} holds {list(noise.shape)}: for this video "
                f"it must be {list(expected)} (batch, channels, frames, height, width of the "
                "latents)"
            )
        return noise_BTHWC.astype(np.float32)

    def _embed(self, prompts: set[str]) -> dict[str, Float[np.ndarray, "1 l d"]]:
        """Padded embeddings of all prompts."""
        embedded = embeddings.embed_prompts(
            self._folder,
            sorted(prompts),
            mesh=self._mesh,
            dtype=self._dtype,
            cache=self._cache,
        )
        return {prompt: embeddings.pad([embedding]) for prompt, embedding in embedded.items()}

    def _magnitudes_file(self) -> MagnitudesFile:
        """The file for these transformers with these LoRAs."""
        of_experts = []
        for expert, named in zip(self._experts, self._loras, strict=True):
            loras = [hub.local_lora(one.name) for one in named]
            weights = [one.weight for one in named]
            of_experts.append(embeddings.fingerprint([*expert.source.files, *loras], lora=weights))
        model = hashlib.sha256(" ".join(of_experts).encode()).hexdigest()[:32]
        path = self._magnitudes or user_cache("step_caches") / f"{model}.json"
        return MagnitudesFile(path, model)

    def _load(self, index: int) -> Network:
        load = functools.partial(
            load_transformer,
            self._experts[index],
            mesh=self._mesh,
            dtype=self._dtype,
            strategy=self._devices.strategy,
        )
        if not self._loras[index]:
            loaded: Loaded = load()
        else:
            # Passed on unnamed, so that what is merged can be freed meanwhile.
            loaded = adapters.apply(
                load(),
                self._loras[index],
                self._lora_files[index],
                self._shapes,
                merge=not self._keep_apart,
            )
        return loaded.graph, loaded.params

    def _parameters(self, job: Job, prompt: str, size_HW: tuple[int, int]) -> dict:
        height, width = size_HW
        overrides, sampling = self._overrides, self.sampling
        noise = {"noise": pathlib.Path(overrides.noise_name).name} if overrides.noise_name else {}
        return {
            "picture": job.subject.origin,
            "medium": media.mixture(job.medium),
            "prompt": prompt,
            "negative_prompt": overrides.negative_prompt,
            "pretrained": self._folder.title,
            "transformers": [pathlib.Path(file).stem for file in self._files if file],
            "lora": [[one.title for one in named] for named in self._loras],
            "height": height,
            "width": width,
            "frames": sampling.frames,
            "sampler": sampling.sampler,
            "steps": sampling.steps,
            "shift": sampling.shift,
            "guidance": sampling.guidance,
            "dtype": jnp.dtype(self._dtype).name,
            "seed": overrides.seed,
            "goes_on_from_a_canvas": overrides.canvas_HWC is not None,
            "from": overrides.canvas_progress,
            "from_estimated": overrides.from_estimated,
            **noise,
        }


def _joined(batches: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One batch of several of the same shapes."""
    return {name: np.concatenate([one[name] for one in batches]) for name in batches[0]}


def _spans(batches: Sequence[dict[str, np.ndarray]], most: int) -> list[range]:
    """Runs of at most so many batches of the same shapes."""
    spans: list[range] = []
    for n, batch in enumerate(batches):
        last = spans[-1] if spans else range(0)
        same = last and batch["reference_BHWC"].shape == batches[last[0]]["reference_BHWC"].shape
        if same and len(last) < most:
            spans[-1] = range(last.start, n + 1)
        else:
            spans.append(range(n, n + 1))
    return spans


def _size(source: Source) -> int:
    """Number of values in the tensors of a component."""
    return sum(math.prod(tensor.shape) for tensor in source.tensors.values())
