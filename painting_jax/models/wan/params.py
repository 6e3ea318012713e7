"""The names of the Wan transformer's tensors: diffusers' and the original ones (ComfyUI's, too)."""

from painting_jax.models.tensor_names import LAYER, Rule, Table, linear, norm

_BLOCK = rf"blocks\.{LAYER}"
_EMBED = "condition_embedder"
# Single files come bare or as a part of a ComfyUI checkpoint; the first way is the one written.
_BARE = r"(?P<prefix>|diffusion_model\.|model\.diffusion_model\.)"

DIFFUSERS: Table = (
    Rule(r"patch_embedding\.weight", "patch_embedding/kernel", "patches_1x2x2"),
    Rule(r"patch_embedding\.bias", "patch_embedding/bias"),
    *linear(
        rf"{_EMBED}\.(?P<what>time|text)_embedder\.linear_(?P<n>1|2)",
        rf"{_EMBED}/\g<what>_embedder/linear_\g<n>",
    ),
    *linear(rf"{_EMBED}\.time_proj", f"{_EMBED}/time_proj"),
    *norm(
        rf"{_EMBED}\.image_embedder\.norm(?P<n>1|2)",
        rf"{_EMBED}/image_embedder/norm\g<n>",
        bias=True,
    ),
    *linear(rf"{_EMBED}\.image_embedder\.ff\.net\.0\.proj", f"{_EMBED}/image_embedder/ff/proj_in"),
    *linear(rf"{_EMBED}\.image_embedder\.ff\.net\.2", f"{_EMBED}/image_embedder/ff/proj_out"),
    *linear(rf"{_BLOCK}\.attn(?P<n>1|2)\.(?P<to>to_q|to_k|to_v)", r"blocks/attn\g<n>/\g<to>"),
    *linear(rf"{_BLOCK}\.attn(?P<n>1|2)\.to_out\.0", r"blocks/attn\g<n>/to_out"),
    *norm(rf"{_BLOCK}\.attn(?P<n>1|2)\.norm_(?P<x>q|k)", r"blocks/attn\g<n>/norm_\g<x>"),
    *linear(rf"{_BLOCK}\.attn2\.add_(?P<x>k|v)_proj", r"blocks/attn2/add_\g<x>_proj"),
    *norm(rf"{_BLOCK}\.attn2\.norm_added_k", "blocks/attn2/norm_added_k"),
    # Left over in early conversions; the attention never used it.
    Rule(rf"{_BLOCK}\.attn2\.norm_added_q\.weight", None),
    *norm(rf"{_BLOCK}\.norm2", "blocks/norm2", bias=True),
    *linear(rf"{_BLOCK}\.ffn\.net\.0\.proj", "blocks/ffn/proj_in"),
    *linear(rf"{_BLOCK}\.ffn\.net\.2", "blocks/ffn/proj_out"),
    Rule(rf"{_BLOCK}\.scale_shift_table", "blocks/scale_shift_table", "first"),
    Rule("scale_shift_table", "scale_shift_table", "first"),
    *linear("proj_out", "proj_out"),
)

ORIGINAL: Table = (
    Rule(rf"{_BARE}patch_embedding\.weight", "patch_embedding/kernel", "patches_1x2x2"),
    Rule(rf"{_BARE}patch_embedding\.bias", "patch_embedding/bias"),
    *(
        rule
        for what in ("time", "text")
        for theirs, ours in ((0, 1), (2, 2))
        for rule in linear(
            rf"{_BARE}{what}_embedding\.{theirs}", f"{_EMBED}/{what}_embedder/linear_{ours}"
        )
    ),
    *linear(rf"{_BARE}time_projection\.1", f"{_EMBED}/time_proj"),
    *norm(rf"{_BARE}img_emb\.proj\.0", f"{_EMBED}/image_embedder/norm1", bias=True),
    *linear(rf"{_BARE}img_emb\.proj\.1", f"{_EMBED}/image_embedder/ff/proj_in"),
    *linear(rf"{_BARE}img_emb\.proj\.3", f"{_EMBED}/image_embedder/ff/proj_out"),
    *norm(rf"{_BARE}img_emb\.proj\.4", f"{_EMBED}/image_embedder/norm2", bias=True),
    *(
        rule
        for theirs, ours in (("self_attn", "attn1"), ("cross_attn", "attn2"))
        for rule in (
            *linear(rf"{_BARE}{_BLOCK}\.{theirs}\.(?P<x>q|k|v)", rf"blocks/{ours}/to_\g<x>"),
            *linear(rf"{_BARE}{_BLOCK}\.{theirs}\.o", f"blocks/{ours}/to_out"),
            *norm(rf"{_BARE}{_BLOCK}\.{theirs}\.norm_(?P<x>q|k)", rf"blocks/{ours}/norm_\g<x>"),
        )
    ),
    *linear(rf"{_BARE}{_BLOCK}\.cross_attn\.(?P<x>k|v)_img", r"blocks/attn2/add_\g<x>_proj"),
    *norm(rf"{_BARE}{_BLOCK}\.cross_attn\.norm_k_img", "blocks/attn2/norm_added_k"),
    *norm(rf"{_BARE}{_BLOCK}\.norm3", "blocks/norm2", bias=True),
    *linear(rf"{_BARE}{_BLOCK}\.ffn\.0", "blocks/ffn/proj_in"),
    *linear(rf"{_BARE}{_BLOCK}\.ffn\.2", "blocks/ffn/proj_out"),
    Rule(rf"{_BARE}{_BLOCK}\.modulation", "blocks/scale_shift_table", "first"),
    Rule(rf"{_BARE}head\.modulation", "scale_shift_table", "first"),
    *linear(rf"{_BARE}head\.head", "proj_out"),
)

RULES: tuple[Table, ...] = (DIFFUSERS, ORIGINAL)

# Parameters that stay float32 whatever the rest is loaded in, as in diffusers.
FLOAT32 = r"time_embedder|scale_shift_table|norm"
