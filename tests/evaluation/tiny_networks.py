"""Tiny random CLIP and DINOv2, in folders as on the hub."""

import pathlib

import safetensors.torch
import tokenizers
import transformers
from jax.sharding import Mesh
from tokenizers import models, normalizers, pre_tokenizers, processors

from painting_jax import media
from painting_jax.evaluation import backbones
from tests.evaluation import test_lpips_weights as test_lpips

_TOWER = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1}
_TOWER |= {"num_attention_heads": 3}

CLIP = "CLIP of 1 layers, width 24, patch 16"
DINO = "DINOv2 of 1 layers, width 24, patch 14"


def open_backbone(name: str, mesh: Mesh | None = None) -> backbones.Backbone:
    """Opens one backbone."""
    return backbones.open_backbones([name], mesh=mesh)[name.partition("=")[0]]


def write_clip(folder: pathlib.Path) -> pathlib.Path:
    """CLIP with a tokenizer that knows the words of the media's names."""
    words = sorted({word for name in media.MEDIA for word in media.in_words(name).split()})
    ids = {word: place for place, word in enumerate(["<start>", "<other>", *words, "<end>"])}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(ids, unk_token="<other>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "<start> $A <end>", special_tokens=[(mark, ids[mark]) for mark in ("<start>", "<end>")]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<start>", eos_token="<end>", unk_token="<other>"
    ).save_pretrained(folder)
    text = {"vocab_size": len(ids), "max_position_embeddings": 16}
    text |= {"bos_token_id": ids["<start>"], "eos_token_id": ids["<end>"]}
    config = transformers.CLIPConfig(
        text_config=_TOWER | text,
        vision_config=_TOWER | {"image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder


def write_dino(folder: pathlib.Path, *, registers: int = 0) -> pathlib.Path:
    """DINOv2, with registers or without."""
    sizes = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 3}
    sizes |= {"image_size": 28, "patch_size": 14}
    if registers:
        config = transformers.Dinov2WithRegistersConfig(**sizes, num_register_tokens=registers)
        model = transformers.Dinov2WithRegistersModel(config)
    else:
        model = transformers.Dinov2Model(transformers.Dinov2Config(**sizes))
    model.save_pretrained(folder)
    return folder


def write_alexnet(path: pathlib.Path) -> pathlib.Path:
    """AlexNet as torchvision saves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(test_lpips.weights("alex"), path)
    return path
