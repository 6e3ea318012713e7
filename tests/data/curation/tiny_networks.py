"""Tiny networks of the published architectures in folders, as `prompted` loads them."""

import json
import pathlib
from collections.abc import Callable

import torch
import transformers
from transformers import GroundingDinoImageProcessorPil, GroundingDinoProcessor

WORDS = ("hand", "arm", "paint", "brush", "pencil")
SIDE = 64  # pixels of the pictures that they take


def _tokenizer(folder: pathlib.Path) -> transformers.BertTokenizerFast:
    # Where Grounding DINO expects them, since it tells prompts from each other by these numbers.
    known = {101: "[CLS]", 102: "[SEP]", 1012: ".", 1029: "?", 0: "[PAD]", 100: "[UNK]"}
    known |= {2000 + i: word for i, word in enumerate(WORDS)}
    names = [known.get(i, f"[unused{i}]") for i in range(2000 + len(WORDS))]
    (folder / "vocab.txt").write_text("\n".join(names))
    return transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"))


def sam3(folder: pathlib.Path) -> transformers.Sam3Model:
    """A SAM 3 of one layer everywhere; saved without weights, which `save` adds."""
    torch.manual_seed(0)
    width = {"hidden_size": 32, "num_attention_heads": 2}
    small = width | {"intermediate_size": 48, "num_layers": 1, "dropout": 0.0}
    backbone = width | {
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "image_size": SIDE,
        "patch_size": 8,
        "window_size": 4,
        "global_attn_indexes": [1],
        "pretrain_image_size": 32,
    }
    config = transformers.Sam3Config(
        vision_config={
            "model_type": "sam3_vision_model",
            "backbone_config": {"model_type": "sam3_vit_model", **backbone},
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        },
        text_config=width
        | {
            "model_type": "clip_text_model",
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "projection_dim": 32,
            "vocab_size": 2100,
            "max_position_embeddings": 32,
            "bos_token_id": 101,
            "eos_token_id": 102,
        },
        geometry_encoder_config=small,
        detr_encoder_config=small,
        detr_decoder_config=small | {"num_queries": 5},
        mask_decoder_config=width | {"num_upsampling_stages": 2, "dropout": 0.0},
    )
    _tokenizer(folder).save_pretrained(folder)
    settings = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    return transformers.Sam3Model(config)


def grounding_dino(folder: pathlib.Path) -> transformers.GroundingDinoForObjectDetection:
    """A Grounding DINO of one or two layers everywhere; saved without weights."""
    torch.manual_seed(0)
    config = transformers.GroundingDinoConfig(
        backbone_config={
            "model_type": "swin",
            "embed_dim": 16,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 1, 1],
            "window_size": 2,
            "image_size": SIDE,
            "out_features": ["stage2", "stage3", "stage4"],
        },
        text_config={
            "model_type": "bert",
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 48,
            "vocab_size": 2100,
        },
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=4,
        max_text_len=64,
        disable_custom_kernels=True,
    )
    size = {"shortest_edge": SIDE, "longest_edge": 2 * SIDE}
    processor = GroundingDinoProcessor(
        GroundingDinoImageProcessorPil(size=size), _tokenizer(folder)
    )
    processor.save_pretrained(folder)
    return transformers.GroundingDinoForObjectDetection(config)


def sam(folder: pathlib.Path) -> transformers.SamModel:
    """A SAM of one layer everywhere; saved without weights."""
    torch.manual_seed(0)
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32,
            "output_channels": 32,
            "num_hidden_layers": 1,
            "patch_size": 8,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "mlp_dim": 48,
            "window_size": 4,
            "global_attn_indexes": [0],
            "num_pos_feats": 16,
            "initializer_range": 0.1,
        },
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": SIDE,
            "patch_size": 8,
            "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "iou_head_depth": 1,
            "iou_head_hidden_dim": 16,
        },
    )
    transformers.SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}
    ).save_pretrained(folder)
    return transformers.SamModel(config)


def sam2(_: pathlib.Path) -> transformers.Sam2Model:
    """A SAM 2 of one layer everywhere; saved without weights."""
    torch.manual_seed(0)
    config = transformers.Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 8,
                "image_size": [SIDE, SIDE],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 1, 1],
                "window_size_per_stage": [4, 4, 2, 2],
                "global_attention_blocks": [3],
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": SIDE,
            "patch_size": 16,
            "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
            "dynamic_multimask_via_stability": False,
        },
    )
    return transformers.Sam2Model(config)


def save(model, folder: pathlib.Path) -> pathlib.Path:
    """Saves the config and the weights of a network."""
    model.save_pretrained(folder)
    return folder


def taught(model, loss: Callable[[], torch.Tensor], steps: int = 60, part=None) -> float:
    """Trains a network, or a part, on what a test shows it, and returns the last loss."""
    # Without dropout. Threads would wait for each other longer than such networks take.
    model.eval()
    torch.set_num_threads(1)
    optimizer = torch.optim.Adam((part or model).parameters(), lr=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
    return value.item()
