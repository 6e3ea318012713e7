"""Every field of an experiment, with the values a small picture-space model starts from."""

from ml_collections import ConfigDict


def base() -> ConfigDict:
    """The fields that every experiment has; an experiment file sets those it differs in."""
    config = ConfigDict()
    config.seed = 0  # of parameters, noise and data order
    config.steps = 1000  # optimizer steps
    # Workdir whose averaged parameters and tokenizer to start from; of adapters a LoRA's file, too.
    config.init_from = ""

    config.data = data = ConfigDict()
    data.data_dir = "data"  # where `prepare` put its datasets
    data.dataset = ""  # builder/name inside data_dir; "" = the only one there
    data.batch_size = 8  # global, over all devices and processes
    data.frames = 9  # T, frames of a process the model sees
    data.height = 64  # pixels
    data.width = 64
    data.text_length = 24  # tokens a caption is padded or cut to
    data.variant_probability = 0.2  # of conditioning on a stored look (photo, line art) instead
    data.caption_probability = 1.0  # of telling the caption, beside the medium

    config.model = model = ConfigDict()
    model.family = "painting"  # one of models.family.FAMILIES
    model.dim = 128  # width of the tokens
    model.layers = 4
    model.heads = 4
    model.ffn_dim = 512  # hidden width of the feed-forward
    model.patch = (1, 16, 16)  # time, height, width of a token
    model.vocabulary = 512  # text tokens there is room for
    model.text_dim = 64  # width of their embeddings, or of the published text encoder's
    model.pixel_layers = 4  # of paint that a token writes, in picture space; 0 = no pixel head
    model.reference_everywhere = True  # the reference on every frame; False: on the first
    model.in_channels = 0  # of a published transformer, its image condition included
    model.image_dim = 0  # width of the image tokens it takes; 0 = none
    model.dtype = "float32"  # computed in; parameters are float32
    model.remat = False  # recompute blocks in the backward pass: less memory, a third more work

    config.pretrained = pretrained = ConfigDict()  # published weights to train further
    pretrained.path = ""  # diffusers folder or hub id; "" = random weights, to try things out
    pretrained.expert = ""  # of two transformers the one to train: high or low (noise); "" = one
    pretrained.dtype = "bfloat16"  # what is frozen is held in

    config.lora = lora = ConfigDict()  # adapters (LoRA) of a published transformer
    lora.enabled = False  # they alone are trained; False: all of the transformer is
    lora.rank = 32
    lora.targets = (  # linear layers that get one, by the ends of their names in diffusers
        "to_q",
        "to_k",
        "to_v",
        "to_out.0",
        "ffn.net.0.proj",
        "ffn.net.2",
    )

    config.objective = objective = ConfigDict()
    objective.clean_prediction = True  # predict the clean sample; False: the velocity, as Wan
    objective.noise_distribution = (
        "logit_normal"  # of the training noise levels: logit_normal or uniform
    )
    objective.mean = 0.0  # of the normal under the sigmoid
    objective.std = 1.0
    objective.shift = 12.0  # moves the levels towards noise; Wan: 3 at 480p, 5 at 720p
    objective.huber = 0.2  # errors above it count by their size, not their square; 0 = squares
    objective.structure = 1.0  # weight of the difference in edges (pictures only)
    objective.augment = 0.2  # probability of another look for the reference (cross-media)
    objective.drop = drop = ConfigDict()  # probability of dropping each condition
    drop.reference = 0.05
    drop.medium = 0.1
    drop.text = 0.1
    drop.segments = 0.1

    config.optimizer = optimizer = ConfigDict()  # AdamW
    optimizer.learning_rate = 2e-3  # after the warm-up; falls by a cosine to `final` of it
    optimizer.warmup_steps = 30
    optimizer.end_learning_rate_fraction = 0.05
    optimizer.b1 = 0.9
    optimizer.b2 = 0.99
    optimizer.weight_decay = 0.01  # of kernels, embeddings and LoRA factors alone
    optimizer.clip_norm = 1.0  # of the whole gradient
    optimizer.ema_decay = 0.99  # of the parameters that are sampled from
    optimizer.gradient_accumulation_steps = 1  # parts a batch is cut into to save memory

    config.sampling = sampling = ConfigDict()  # defaults of generate and evaluate
    sampling.sampler = "rectified_flow"
    sampling.steps = 4
    sampling.shift = 20.0  # moves the steps towards noise
    sampling.firmness = 1.5  # of the choice among paints in picture space; 1 = their mean
    sampling.guidance = 1.0
    sampling.guide_on = ("medium", "text")  # conditions that guidance strengthens

    # Fields below may differ between a run and its resumption; those above may not.
    config.mesh = mesh = ConfigDict()  # devices along each axis; -1 = those left over
    mesh.data = -1
    mesh.fsdp = 1
    mesh.tensor = 1
    mesh.sequence = 1

    config.checkpoint = checkpoint = ConfigDict()
    checkpoint.every = 200  # steps
    checkpoint.keep = 2  # latest checkpoints kept

    config.log = log = ConfigDict()
    log.every = 20  # steps between metrics
    log.samples_every = 500  # steps between contact sheets of samples
    log.samples = 4  # held-out pictures on them
    return config


def parse_arg(arg: str | None, **defaults):
    """Parses the part of `--config=file.py:runlocal,res=128` after the colon.

    Args:
      arg: comma-separated names (switched on) and name=value pairs, or None.
      **defaults: the names that exist with their defaults, whose types the values take.

    Returns:
      A ConfigDict of all names.

    Raises:
      ValueError: for a name that does not exist, or is no switch and has no value.
    """
    parsed = ConfigDict(defaults)
    for part in filter(None, (arg or "").split(",")):
        name, equals, value = part.partition("=")
        if name not in defaults:
            known = ", ".join(defaults) or "none"
            raise ValueError(f"unknown config argument {name!r}: known are {known}")
        kind = type(defaults[name])
        if not equals and kind is not bool:
            raise ValueError(f"config argument {name} needs a value: {name}={defaults[name]}")
        if not equals:
            parsed[name] = True
        elif kind is bool:
            parsed[name] = value.lower() in ("1", "true", "yes")
        else:
            parsed[name] = kind(value)
    return parsed
