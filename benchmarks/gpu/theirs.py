"""Measures a training step of the same case in PyTorch: diffusers, PEFT and torch.compile."""

import time

import torch
from diffusers import WanTransformer3DModel
from peft import LoraConfig
from torch.nn import attention

from benchmarks.gpu import ours
from benchmarks.gpu.cases import Case
from benchmarks.gpu.result import Result
from painting_jax.diffusion import reverse_painting
from painting_jax.models.wan.params import diffusers_config
from painting_jax.planning import program
from painting_jax.tasks.task import make_model

_IMAGE_TOKENS = 257
# The fastest first, for heads of these sizes on Hopper.
_KERNELS = [
    attention.SDPBackend.CUDNN_ATTENTION,
    attention.SDPBackend.FLASH_ATTENTION,
    attention.SDPBackend.MATH,
]


def measure(case: Case, runs: int, tiny: bool) -> Result:
    """Figures of a case, with random weights; arguments as in `ours.measure`."""
    config = case.config(tiny)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    wan = make_model(config).config
    kept = torch.bfloat16 if case.lora else torch.float32
    torch.set_default_dtype(kept)
    with torch.device(device):
        model = WanTransformer3DModel.from_config(diffusers_config(wan))
    torch.set_default_dtype(torch.float32)
    if case.lora:
        model.requires_grad_(False)
        targets = [*config.lora.targets]
        model.add_adapter(LoraConfig(r=config.lora.rank, target_modules=targets))
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    model.enable_gradient_checkpointing()
    model.compile_repeated_blocks()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=device == "cuda")

    task = program.task_of(config)
    shape = program.encoded_batch(task)[reverse_painting.LATENTS].shape
    b, t, h, w, c = shape
    inputs = {
        "hidden_states": torch.randn(b, wan.in_channels, t, h, w, device=device),
        "timestep": torch.full((b,), 500.0, device=device),
        "encoder_hidden_states": torch.randn(
            b, config.data.text_length, wan.text_dim, device=device
        ),
    }
    if wan.image_dim:
        inputs["encoder_hidden_states_image"] = torch.randn(
            b, _IMAGE_TOKENS, wan.image_dim, device=device
        )
    target = torch.randn(b, c, t, h, w, device=device)

    def step() -> None:
        with (
            torch.autocast(device, torch.bfloat16),
            attention.sdpa_kernel(_KERNELS, set_priority=True),
        ):
            predicted = model(**inputs, return_dict=False)[0]
            loss = torch.nn.functional.mse_loss(predicted.float(), target)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if not torch.isfinite(loss):
            raise ValueError("the loss is not finite")

    first, *times = (_seconds(step, device) for _ in range(runs + 1))
    cuda = device == "cuda"
    return Result(
        times,
        torch.cuda.max_memory_allocated() if cuda else None,
        ours.flops(task),
        first,
        torch.cuda.get_device_name() if cuda else "cpu",
        f"torch {torch.__version__}",
    )


def _seconds(step, device: str) -> float:
    start = time.perf_counter()
    step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
