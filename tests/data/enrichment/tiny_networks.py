"""Tiny networks of transformers and diffusers with random weights, in folders as on the hub."""

import pathlib
from collections.abc import Sequence

import diffusers
import numpy as np
import tokenizers
import torch
import transformers
from skimage import data
from tokenizers import models, pre_tokenizers

_TOWER = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
_TOWER |= {"num_attention_heads": 2}


def write_segmenter(folder: pathlib.Path, *, finds: bool = True) -> pathlib.Path:
    """A Mask2Former that is sure of what it sees, or of seeing nothing."""
    torch.manual_seed(0)
    sizes = dict.fromkeys(("feature_size", "mask_feature_size", "hidden_dim"), 32)
    swin = transformers.SwinConfig(
        image_size=32,
        embed_dim=8,
        depths=[1] * 4,
        num_heads=[1] * 4,
        window_size=4,
        out_features=[f"stage{number}" for number in range(1, 5)],
    )
    config = transformers.Mask2FormerConfig(
        backbone_config=swin,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=16,
        num_queries=6,
        num_labels=5,
        **sizes,
    )
    model = transformers.Mask2FormerForUniversalSegmentation(config)
    with torch.no_grad():
        # The last label is that of nothing.
        model.class_predictor.bias[0 if finds else -1] = 20
    model.save_pretrained(folder)
    processor = transformers.Mask2FormerImageProcessorPil(size={"height": 64, "width": 64})
    processor.save_pretrained(folder)
    return folder


def write_captioner(folder: pathlib.Path, words: Sequence[str]) -> pathlib.Path:
    """A BLIP that says these words in their order, whatever it sees."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(words)
    marks = {
        name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")
    }
    config = transformers.BlipConfig(
        text_config=_TOWER
        | marks
        | {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "encoder_hidden_size": 16}
        | {"sep_token_id": tokenizer.eos_token_id},
        vision_config=_TOWER | {"image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    model = transformers.BlipForConditionalGeneration(config)
    ids = [tokenizer.bos_token_id, *(tokenizer.convert_tokens_to_ids(word) for word in words)]
    _chain(model.text_decoder, [*ids, tokenizer.eos_token_id])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    transformers.BlipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def _chain(decoder: torch.nn.Module, ids: Sequence[int]) -> None:
    """Makes a decoder follow each token by the next: its last layer looks up the place alone."""
    functional = torch.nn.functional
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.zero_()
        for module in decoder.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.fill_(1)
        places = decoder.bert.embeddings.position_embeddings.weight
        # Far larger than the embeddings of the words, which the last layer shares.
        places.copy_(1000 * torch.randn(places.shape))
        head = decoder.cls.predictions
        width = places.shape[1]
        head.transform.dense.weight.copy_(torch.eye(width))
        seen = functional.gelu(functional.layer_norm(places, [width]))
        seen = functional.normalize(functional.layer_norm(seen, [width]), dim=1)
        for place, following in enumerate(ids[1:]):
            head.decoder.weight[following] += seen[place]


def write_editor(folder: pathlib.Path, colour: Sequence[float]) -> pathlib.Path:
    """An InstructPix2Pix whose pictures are of one colour, RGB in [0, 1], whatever it is told."""
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=16,
        in_channels=8,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        norm_num_groups=4,
        attention_head_dim=4,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=[8, 8],
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
        norm_num_groups=4,
    )
    with torch.no_grad():
        vae.decoder.conv_out.weight.zero_()
        vae.decoder.conv_out.bias.copy_(2 * torch.tensor(colour) - 1)
    tokenizer = _tokenizer(["turn", "it", "into"])
    text = transformers.CLIPTextConfig(
        **_TOWER,
        vocab_size=len(tokenizer),
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    diffusers.StableDiffusionInstructPix2PixPipeline(
        vae=vae,
        text_encoder=transformers.CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def _tokenizer(words: Sequence[str]) -> transformers.PreTrainedTokenizerFast:
    names = ["<pad>", "<unk>", "<s>", "</s>", *dict.fromkeys(words)]
    ids = {name: number for number, name in enumerate(names)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=16,
    )


def picture() -> np.ndarray:
    """A cat, uint8[150, 225, 3]."""
    return np.ascontiguousarray(data.chelsea()[::2, ::2])
