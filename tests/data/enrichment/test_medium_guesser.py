"""A medium that nobody states is guessed with CLIP, and said with how sure the guess is."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from painting_jax import media
from painting_jax.data import processes, remarks, video
from painting_jax.data.enrichment import choice
from painting_jax.errors import UserError
from tests.data.enrichment import tiny_networks as tiny
from tests.evaluation import tiny_networks
from tests.synthetic import recording


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    torch.manual_seed(0)
    return tiny_networks.write_clip(tmp_path_factory.mktemp("clip"))


def read(path, enrichment):
    [file], _ = processes.find([path], known_media=media.MEDIA, needs_medium=False)
    return processes.to_record(file, max_frames=3, max_side=64, enrichment=enrichment)


def test_the_guess_is_that_of_transformers(clip):
    network = choice.chosen(medium=str(clip), least_confidence=0)
    picture_HWC = tiny.picture()[:32, :32]
    with remarks.collected() as notes:
        medium = network.medium_of(picture_HWC, "cat")
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip)
    processor = transformers.CLIPImageProcessorPil(do_resize=False, do_center_crop=False)
    pixels = processor(Image.fromarray(picture_HWC), return_tensors="pt")
    with torch.no_grad():
        seen_D = model.get_image_features(**pixels).pooler_output[0]
        means = []
        for name in media.MEDIA:
            # One at a time, since padding would be read as words.
            words = [tokenizer(text, return_tensors="pt") for text in media.descriptions(name)]
            read_PD = [model.get_text_features(**each).pooler_output[0] for each in words]
            means.append(torch.stack([v / v.norm() for v in read_PD]).mean(0))
    cosine_M = torch.stack([m @ seen_D / m.norm() / seen_D.norm() for m in means])
    likely_M = torch.softmax(100 * cosine_M, 0).numpy()
    assert medium == list(media.MEDIA)[int(likely_M.argmax())]
    said = f"cat states no medium: it is taken for {medium} (confidence {likely_M.max():.2f})"
    assert notes == [said]
    assert np.ptp(likely_M) > 0.01


def test_a_guess_is_made_where_no_medium_is_stated(clip, tmp_path):
    video.write_mp4(tmp_path / "a.mp4", recording(), fps=4)
    with remarks.collected() as notes:
        record = read(tmp_path / "a.mp4", choice.chosen(medium=str(clip), least_confidence=0))
    assert notes[0].startswith(f"a.mp4 states no medium: it is taken for {record.medium} (conf")
    (tmp_path / "a.json").write_text('{"medium": "ink"}')
    with remarks.collected() as notes:
        assert read(tmp_path / "a.mp4", choice.chosen(medium=str(clip))).medium == "ink"
    assert not notes


def test_a_guess_that_is_not_sure_is_refused_with_its_confidence(clip, tmp_path):
    video.write_mp4(tmp_path / "a.mp4", recording(), fps=4)
    unsure = choice.chosen(medium=str(clip), least_confidence=1)
    with pytest.raises(UserError, match=r"not sure: \w+ \(confidence 0\.\d\d\), less than --min_c"):
        read(tmp_path / "a.mp4", unsure)
    with pytest.raises(UserError, match="has no medium"):
        read(tmp_path / "a.mp4", choice.chosen())
