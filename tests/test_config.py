"""The table of fields, and configs of runs that earlier versions made."""

import json
import math

import pytest

from configs import demo, small, wan21_i2v_14b, wan21_t2v_1_3b, wan22_i2v_a14b, wan22_ti2v_5b
from painting_jax import cli, config
from painting_jax.errors import UserError
from tests import tiny

_WAN = (wan21_i2v_14b, wan21_t2v_1_3b, wan22_i2v_a14b, wan22_ti2v_5b)


def test_argument_gives_the_types_of_the_defaults():
    parsed = config.parse_arg(
        "local,size=128,rate=0.5,name=x=y", local=False, size=1, rate=1.0, name=""
    )
    assert parsed.to_dict() == {"local": True, "size": 128, "rate": 0.5, "name": "x=y"}


@pytest.mark.parametrize("text", [None, "", ","])
def test_no_argument_leaves_the_defaults(text):
    assert config.parse_arg(text, local=False, size=64).to_dict() == {"local": False, "size": 64}


@pytest.mark.parametrize(("text", "value"), [("on=true", True), ("on=0", False), ("on=1", True)])
def test_switches_may_be_spelt_out(text, value):
    assert config.parse_arg(text, on=not value).on is value


def test_unknown_argument_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'colour'.*known are size"):
        config.parse_arg("colour=red", size=64)


def test_argument_whose_value_is_forgotten_is_refused():
    with pytest.raises(ValueError, match="config argument size needs a value: size=64"):
        config.parse_arg("on,size", on=False, size=64)


def test_argument_of_another_type_is_refused():
    with pytest.raises(ValueError, match="big"):
        config.parse_arg("size=big", size=64)


def test_the_page_of_the_fields_is_up_to_date():
    page = (tiny.ROOT / "docs" / "config.md").read_text()
    assert page == config.documentation(), "python -m painting_jax.config > docs/config.md"


def test_every_default_is_in_its_range():
    config.check_ranges(config.base())
    assert len({field.name for field in config.FIELDS}) == len(config.FIELDS)


def test_every_field_has_a_range():
    for field in config.FIELDS:
        assert field.range or isinstance(field.default, bool), field.name
        assert config._range_words(field), field.name


@pytest.mark.parametrize("experiment", [demo, small, *_WAN])
def test_every_experiment_is_in_the_ranges(experiment):
    config.check_ranges(experiment.get_config())
    if experiment in _WAN:
        config.check_ranges(experiment.get_config("lora,tiny"))


def test_the_listing_has_every_field_with_its_value_and_range():
    experiment = config.base()
    experiment.steps = 77
    listing = config.listing(experiment)
    words = " ".join(listing.split())
    for field in config.FIELDS:
        assert f"--config.{field.name}=" in listing
        assert " ".join(field.meaning.split()) in words
        assert f"Range: {config._range_words(field)}." in words
    assert "--config.steps=77\n" in listing
    assert max(map(len, listing.splitlines())) < 200


def test_an_experiment_cannot_set_a_field_that_does_not_exist():
    experiment = config.base()
    with pytest.raises(AttributeError, match="batch_sise"):
        experiment.data.batch_sise = 1


@pytest.mark.parametrize(("old", "new"), config.RENAMED.items())
def test_the_earlier_name_of_a_field_is_refused_with_the_one_of_today(old, new):
    section, _, name = old.rpartition(".")
    with pytest.raises(AttributeError) as caught:
        setattr(config.base()[section], name, 1)
    assert cli._field(caught.value) == f"{name!r}: it is config.{new} now"


def earlier(**changes) -> dict:
    """The config of a run that was made before fields were renamed and added."""
    run = json.loads(config.base().to_json())
    for old, new in config.RENAMED.items():
        (there, to), (here, of) = old.split("."), new.split(".")
        run[there][to] = run[here].pop(of)
    del run["profile_steps"], run["log"]["eval_every"], run["sampling"]["sampler"]
    del run["data"]["buckets"], run["data"]["allow_upscaling"], run["data"]["cached_latents"]
    del run["model"]["mark_other_looks"], run["model"]["direction_guides"]
    run["data"]["fingerprint"] = "of its data"
    for section, values in changes.items():
        run[section] |= values
    return run


def test_a_config_of_an_earlier_run_has_the_fields_of_today():
    run = earlier(objective={"law": "uniform"}, log={"samples_every": 70})
    found = config.from_json(json.dumps(run), "config.json")
    assert found.objective.noise_distribution == "uniform"
    assert "law" not in found.objective
    assert found.log.eval_every == 70
    assert found.profile_steps == 0
    assert found.sampling.sampler == "rectified_flow"
    assert not found.model.mark_other_looks
    assert not found.model.direction_guides
    assert found.data.fingerprint == "of its data"
    # All others are as they were.
    found.objective.noise_distribution, found.log.eval_every = "logit_normal", 500
    found.log.samples_every = 500
    found.model.mark_other_looks = found.model.direction_guides = True
    del found.data.fingerprint
    assert json.loads(found.to_json()) == json.loads(config.base().to_json())


def test_an_earlier_run_on_published_weights_samples_as_it_did():
    run = earlier(pretrained={"family": "wan22"})
    assert config.from_json(json.dumps(run), "config.json").sampling.sampler == "unipc"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"seed":', "RUN/config.json is damaged"),
        ("[1]", "RUN/config.json is damaged"),
        ("{}", "RUN/config.json has no field seed"),
        ('{"seed": 0, "steps": 1, "init_from": "", "data": 3}', "has no field data.data_dir"),
    ],
)
def test_a_config_that_is_damaged_is_refused(text, said):
    with pytest.raises(UserError, match=said):
        config.from_json(text, "RUN/config.json")


# Values of every type, and out of most ranges.
_WRONG = [
    *(None, True, "", "x", "\0", "\ud800", "x" * 5000, "gs://bucket/x"),
    *(-1, 10**30, 10**400, 1.5, -1e9, math.nan, math.inf),
    *([], [1], ["("], [[1]], [None], [1, 2, 3, 4], ["to_q", "to_q"], {}, {"a": 1}, [{}]),
]


def _with(name: str, value) -> str:
    """The config.json of a run with a value in a field."""
    run = json.loads(config.base().to_json())
    *sections, last = name.split(".")
    place = run
    for section in sections:
        place = place[section]
    place[last] = value
    return json.dumps(run)


@pytest.mark.parametrize("field", config.FIELDS, ids=lambda field: field.name)
def test_a_run_with_a_wrong_value_in_a_field_is_refused_in_one_line(field):
    refusals = []
    for value in _WRONG:
        try:
            found = config.from_json(_with(field.name, value), "RUN/config.json")
        except UserError as error:
            refusals.append(str(error))
        else:
            # What is taken has the type of the field and is in the range of an experiment.
            config.check_ranges(found)
            assert type(config._value(found, field.name)) is type(field.default), value
    for said in refusals:
        assert said.startswith(f"RUN/config.json has {field.name}=")
        assert ": it must be " in said
        assert said.isprintable()
        assert len(said) < 400
    assert len(refusals) >= len(_WRONG) - 8, "most of them are wrong in any field"


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("steps", 0, "from 1 to 2147483647"),
        ("steps", 2**31, "from 1 to 2147483647"),
        ("steps", 5.0, "a whole number, from 1 to"),
        ("seed", True, "a whole number"),
        ("model.dtype", "float8", "float32, bfloat16 or float16"),
        ("model.dtype", 32, "text, float32"),
        ("lora.enabled", 1, "True or False"),
        ("model.patch", 16, "a list of whole numbers, three sizes"),
        ("model.media", ["oil", "crayon"], "media of the registry"),
        ("lora.targets", ["("], "the ends of some layers' names"),
        ("sampling.guide_on", "medium", "a list of texts"),
        ("sampling.pace", 0.5, "a list of numbers, one or more rising numbers between 0 and 1"),
        ("data.data_dir", "", "the path of a folder"),
        ("data.dataset", "../other", "BUILDER or BUILDER/NAME"),
        ("mesh.fsdp", 0, "from 1 to 1048576, or -1"),
    ],
)
def test_the_refusal_says_what_would_be_right(name, value, right):
    with pytest.raises(UserError) as caught:
        config.from_json(_with(name, value), "RUN/config.json")
    assert f"has {name}={value}: it must be {right}" in str(caught.value)


def test_a_run_has_the_types_of_the_fields():
    found = config.from_json(_with("objective.huber", 0), "config.json")
    assert type(found.objective.huber) is float
    assert found.model.patch == (1, 16, 16)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 100_000,
        '{"steps": {"x": ' * 40 + "1" + "}}" * 40,
        b"\xff\xfe{}",
        '{"seed": 0, "seed.more": 1}',
        '{"to_json": 1}',
        "[" * 50 + "]" * 50,
        '{"seed": ' + "9" * 5000 + "}",
    ],
)
def test_configs_of_any_shape_are_refused_in_one_line(text):
    with pytest.raises(UserError, match=r"RUN/config\.json (is damaged|has no field)") as caught:
        config.from_json(text, "RUN/config.json")
    assert "\n" not in str(caught.value)
