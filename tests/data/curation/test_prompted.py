"""Networks that are told what lies before the canvas: tiny ones, taught to see a dark square."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers

from painting_jax.data.curation import (
    box_masks,
    cleaning,
    occluders,
    prompted,
    text_boxes,
    text_masks,
    vision_network,
)
from painting_jax.data.curation.options import Prompted
from painting_jax.data.enrichment import trial
from painting_jax.data.enrichment.enrichment import NONE
from painting_jax.data.enrichment.network import Network
from painting_jax.errors import UserError
from tests.data.curation import tiny_networks

HEIGHT, WIDTH = 48, 96
TOP, LEFT, LOW, RIGHT = 8, 56, 32, 88  # of the dark square
BOX = np.array([[LEFT, TOP, RIGHT, LOW]], np.float32)


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    frame = np.random.default_rng(0).integers(190, 220, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    frame[TOP:LOW, LEFT:RIGHT] = (90, 40, 30)
    return frame


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    truth = np.zeros((HEIGHT, WIDTH), bool)
    truth[TOP:LOW, LEFT:RIGHT] = True
    return truth


def network(folder: pathlib.Path) -> Network:
    return Network(str(folder), "")


def overlap(mask_HW: np.ndarray, truth_HW: np.ndarray) -> float:
    return (mask_HW & truth_HW).sum() / (mask_HW | truth_HW).sum()


def inputs(model) -> list[dict]:
    """What a network is called with from now on."""
    called = []
    model.register_forward_pre_hook(lambda _, args, kwargs: called.append(kwargs), with_kwargs=True)
    return called


def mask_target(truth_HW: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    whole = torch.from_numpy(truth_HW.astype(np.float32))[None, None]
    return torch.nn.functional.interpolate(whole, size, mode="area")[0, 0]


@pytest.fixture(scope="module")
def sam3(tmp_path_factory, frame, truth) -> pathlib.Path:
    """A SAM 3 that answers to "hand" alone."""
    folder = tmp_path_factory.mktemp("sam3")
    model = tiny_networks.sam3(folder)
    pixels = torch.from_numpy(
        vision_network.pixels(
            frame[None], (tiny_networks.SIDE,) * 2, np.float32(0.5), np.float32(0.5)
        )
    )
    target = mask_target(truth, (32, 32)).expand(5, 32, 32)
    ids = torch.tensor([[101, 2000, 102] + [0] * 29, [101, 2004, 102] + [0] * 29])
    wanted = torch.tensor([1.0, 0.0])

    def loss():
        said = model(
            pixel_values=pixels.expand(2, -1, -1, -1),
            input_ids=ids,
            attention_mask=(ids > 0).long(),
        )
        to = torch.nn.functional.binary_cross_entropy_with_logits
        return (
            to(said.pred_masks[0], target)
            + to(said.presence_logits[:, 0], wanted)
            + to(said.pred_logits, wanted[:, None].expand(2, 5))
        )

    tiny_networks.taught(model, loss, 60)
    return tiny_networks.save(model, folder)


def test_sam_3_finds_what_it_is_told(sam3, frame, truth):
    finds = text_masks.TextMasks(network(sam3), ("hand", "pencil"), "cpu")
    called = inputs(finds._model)
    masks = finds(np.stack([frame, frame]))
    assert masks.shape == (2, HEIGHT, WIDTH)
    assert masks.dtype == bool
    assert overlap(masks[0], truth) > 0.75
    np.testing.assert_array_equal(masks[0], masks[1])
    # One call for each prompt, in words of its tokenizer.
    assert [call["input_ids"][0, :3].tolist() for call in called] == [
        [101, 2000, 102],
        [101, 2004, 102],
    ]
    assert not text_masks.TextMasks(network(sam3), ("pencil",), "cpu")(frame[None]).any()


def test_grounding_dino_finds_the_box_of_what_it_is_told(tmp_path, frame, truth):
    model = tiny_networks.grounding_dino(tmp_path)
    processor = transformers.AutoProcessor.from_pretrained(tmp_path)
    told = processor(images=[frame], text=[["hand", "pencil"]], return_tensors="pt")
    middle = [(LEFT + RIGHT) / 2 / WIDTH, (TOP + LOW) / 2 / HEIGHT]
    box = torch.tensor([*middle, (RIGHT - LEFT) / WIDTH, (LOW - TOP) / HEIGHT])

    def loss():
        said = model(**told)
        words = said.logits[0, :, [1, 3]]  # "[CLS] hand . pencil . [SEP]"
        return (said.pred_boxes[0] - box).abs().mean() + torch.relu(2 - words).mean()

    # Which proposals it begins with does not change while the rest is taught.
    part = torch.nn.ModuleList([model.bbox_embed, model.model.decoder.layer_norm])
    tiny_networks.taught(model, loss, 100, part)
    tiny_networks.save(model, tmp_path)
    finds = text_boxes.TextBoxes(network(tmp_path), ("hand", "pencil"), "cpu")
    called = inputs(finds._model)
    boxes = finds(np.stack([frame, frame]))
    assert len(boxes) == 2
    assert len(boxes[0])
    assert np.abs(boxes[0] - BOX).max() < 4
    assert called[0]["input_ids"][0].tolist() == told["input_ids"][0].tolist()
    # The square is cut out of its box by its colour.
    asked = Prompted(network(tmp_path), ("hand", "pencil"))
    assert overlap(prompted.Prompts(asked)._finds(frame[None])[0], truth) > 0.9


def test_masks_of_sam_are_those_of_its_own_processor(tmp_path, frame):
    tiny_networks.save(tiny_networks.sam(tmp_path), tmp_path)
    cuts_out = box_masks.BoxMasks(network(tmp_path), "cpu")
    image_processor = transformers.SamImageProcessorPil.from_pretrained(tmp_path)
    processor = transformers.SamProcessor(image_processor)
    told = processor(frame, input_boxes=[BOX.tolist()], return_tensors="pt")
    with torch.inference_mode():
        said = cuts_out._model(
            pixel_values=told["pixel_values"],
            input_boxes=told["input_boxes"].float(),
            multimask_output=False,
        )
    [theirs] = processor.image_processor.post_process_masks(
        said.pred_masks, told["original_sizes"], told["reshaped_input_sizes"]
    )
    ours = cuts_out(frame[None], [BOX])[0]
    assert 0.02 < ours.mean() < 0.98
    # They resize with other filters.
    assert (ours == theirs[0, 0].numpy()).mean() > 0.97


def test_sam_2_cuts_out_what_lies_in_a_box(tmp_path, frame, truth):
    model = tiny_networks.sam2(tmp_path)
    side = tiny_networks.SIDE
    pixels = torch.from_numpy(
        vision_network.pixels(frame[None], (side, side), *map(np.float32, box_masks._IMAGENET))
    )
    inside = torch.from_numpy(BOX * np.array([side / WIDTH, side / HEIGHT] * 2, np.float32))[None]
    target = mask_target(truth, (16, 16))

    def loss():
        said = model(pixel_values=pixels, input_boxes=inside, multimask_output=False)
        return torch.nn.functional.binary_cross_entropy_with_logits(
            said.pred_masks[0, 0, 0], target
        )

    # Its inputs are embedded without gradients.
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    tiny_networks.taught(model, loss)
    tiny_networks.save(model, tmp_path)
    cuts_out = box_masks.BoxMasks(network(tmp_path), "cpu")
    called = inputs(cuts_out._model)
    masks = cuts_out(np.stack([frame, frame]), [BOX, BOX[:0]])
    assert overlap(masks[0], truth) > 0.7
    assert not masks[1].any()
    torch.testing.assert_close(called[0]["input_boxes"], inside)


def test_a_box_that_holds_one_colour_is_taken_whole():
    frames = np.full((1, HEIGHT, WIDTH, 3), 200, np.uint8)
    mask = box_masks.cut_out(frames, [BOX])[0]
    assert mask[TOP:LOW, LEFT:RIGHT].all()
    assert mask.sum() == (LOW - TOP) * (RIGHT - LEFT)


def test_what_moves_counts_if_it_touches_what_the_network_found():
    frames = np.full((9, 60, 80, 3), 200, np.uint8)
    looked = np.array([0, 4, 8])
    seen = np.zeros((3, 60, 80), bool)
    seen[1, 20:40, 20:40] = True
    frames[3:6, 20:40, 20:40] = 90
    frames[5, 20:30, 20:40] = 200  # it moves away
    moving = np.zeros(frames.shape[:3], bool)
    moving[:, 25:35, 38:60] = True  # its shadow
    moving[:, 50:, 70:78] = True  # paint, or an arm
    found = prompted.joined(frames, looked, seen, moving)
    assert found[3:5, 20:40, 20:40].all()
    assert found[5, 30:40, 20:40].all()
    assert not found[5, 21:29, 21:37].any()
    assert found[4, 25:35, 42:60].all()
    # Only motion tells of frames in which the network found nothing, or that it did not see.
    assert not found[4, 50:, 70:78].any()
    for t in (0, 1, 2, 3, 5, 6, 7, 8):
        assert found[t, 50:, 70:78].all()
        assert not found[t, 25:35, 45:60].any()


def test_a_hand_that_rests_is_found_in_every_frame(sam3, frame, truth):
    """Motion alone takes it for paint."""
    frames = np.stack([frame] * 10)
    assert not occluders.occluded(frames).any()
    found = prompted.prompts(Prompted(network(sam3), ("hand",))).occluded(frames)
    assert found.shape == frames.shape[:3]
    assert all(overlap(one, truth) > 0.7 for one in found)
    steps = cleaning.Steps(camera=False, light=False, canvas=False, span=False)
    result = cleaning.cleaned(
        frames, steps, prompted.prompts(Prompted(network(sam3), ("hand",))).occluded
    )
    assert result.never_HW[TOP + 4 : LOW - 4, LEFT + 4 : RIGHT - 4].all()
    # It is inpainted from what lies around.
    assert result.frames_KHWC[:, truth].mean() > 170
    assert not cleaning.cleaned(frames, steps).occluded_KHW.any()


def test_folders_without_a_network_are_refused_in_one_line(tmp_path):
    def refused(folder: pathlib.Path, mask_model: pathlib.Path | None = None) -> str:
        asked = Prompted(network(folder), mask_model=mask_model and network(mask_model))
        with pytest.raises(UserError) as raised:
            prompted.Prompts(asked)
        return str(raised.value)

    empty = tmp_path / "empty"
    empty.mkdir()
    assert "config.json does not exist" in refused(empty)
    (empty / "config.json").write_text("[]")
    assert "holds no settings" in refused(empty)
    (empty / "config.json").write_text('{"model_type": "bert"}')
    assert "cannot be used for masks" in refused(empty)
    (empty / "config.json").write_text('{"model_type": "sam3"}')
    assert "cannot be used for masks" in refused(empty)
    torn = tmp_path / "torn"
    torn.mkdir()
    model = tiny_networks.sam3(torn)
    del model.mask_decoder.instance_projection
    tiny_networks.save(model, torn)
    assert "lacks 2 tensors" in refused(torn)
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    tiny_networks.save(tiny_networks.grounding_dino(boxes), boxes)
    assert "takes a SAM or a SAM 2" in refused(boxes, torn)


def test_networks_are_tried_before_recordings_are_read(sam3, tmp_path):
    said = []
    assert trial.room(NONE, 64, 0, said.append, Prompted(network(sam3))) == 0
    assert said[0].startswith("with its networks, prepare takes ")
    with pytest.raises(UserError, match=r"config\.json does not exist"):
        trial.room(NONE, 64, 0, said.append, Prompted(network(tmp_path)))


def test_cleaning_without_a_network_needs_no_torch():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from painting_jax.data.curation import cleaning, prompted, options\n"
        "frames = np.random.default_rng(0).integers(0, 255, (4, 24, 24, 3), dtype=np.uint8)\n"
        "cleaning.cleaned(frames, cleaning.Steps(light=False))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
