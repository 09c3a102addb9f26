"""Models of other people's packages, small and with random weights, and what each is called with.

Sizes are small enough for a test, and otherwise as the packages build them: the classes are the real ones.
"""

from collections.abc import Callable
from typing import Any

import torch

VOCABULARY = 50
TOKENS = 7


def tokens() -> dict[str, torch.Tensor]:
    """A batch of sentences, as a tokenizer gives it."""
    ids = torch.randint(3, VOCABULARY, (3, TOKENS), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def images(size: int = 32, channels: int = 3) -> dict[str, torch.Tensor]:
    """A batch of images."""
    return {"pixel_values": torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(0))}


def sounds(samples: int = 800) -> dict[str, torch.Tensor]:
    """A batch of sounds."""
    return {"input_values": torch.rand(2, samples, generator=torch.Generator().manual_seed(0))}


_ENCODER = {
    **{"vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"intermediate_size": 128, "max_position_embeddings": 64},
}
_DECODER = {**_ENCODER, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_BOTH = {
    **{"vocab_size": VOCABULARY, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 128},
    **{"decoder_ffn_dim": 128, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "pad_token_id": 0},
    **{"bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "max_position_embeddings": 64},
}
_IMAGES = {
    **{"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128},
    **{"image_size": 32, "patch_size": 8},
}
_SOUND = {
    **{"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128},
    **{"conv_dim": (64, 64, 64), "conv_stride": (5, 2, 2), "conv_kernel": (10, 3, 2)},
    **{"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2},
}

TEXT: dict[str, dict[str, Any]] = {
    "Bert": _ENCODER,
    "Roberta": _ENCODER | {"pad_token_id": 1},
    "Electra": _ENCODER | {"embedding_size": 64},
    "Albert": _ENCODER | {"embedding_size": 16},
    "MPNet": _ENCODER | {"pad_token_id": 1},
    "DebertaV2": _ENCODER | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
    "MobileBert": _ENCODER | {"embedding_size": 16, "true_hidden_size": 16, "intra_bottleneck_size": 16},
    "DistilBert": {"vocab_size": VOCABULARY, "dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128},
    "XLNet": {"vocab_size": VOCABULARY, "d_model": 64, "n_layer": 2, "n_head": 4, "d_inner": 128},
    "FNet": {key: value for key, value in _ENCODER.items() if key != "num_attention_heads"},
    "GPT2": {"vocab_size": VOCABULARY, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "GPTNeo": {
        **{"vocab_size": VOCABULARY, "hidden_size": 64, "num_layers": 2, "num_heads": 4, "intermediate_size": 128},
        **{"attention_types": [[["global", "local"], 1]], "max_position_embeddings": 64},
    },
    "GPTJ": {"vocab_size": VOCABULARY, "n_embd": 64, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 64},
    "GPTNeoX": _ENCODER,
    "OPT": {
        **{"vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
        **{"ffn_dim": 128, "max_position_embeddings": 64, "word_embed_proj_dim": 64, "pad_token_id": 1},
    },
    "Bloom": {"vocab_size": VOCABULARY, "hidden_size": 64, "n_layer": 2, "n_head": 4},
    "Falcon": {"vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    "Llama": _DECODER,
    "Mistral": _DECODER,
    "Gemma": _DECODER | {"head_dim": 8},
    "Qwen2": _DECODER,
    "Qwen3": _DECODER | {"head_dim": 8},
    "Phi": _DECODER,
    "Mixtral": _DECODER | {"num_local_experts": 2, "num_experts_per_tok": 2},
    "Mamba": {"vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "state_size": 4},
    "T5Encoder": {
        **{"vocab_size": VOCABULARY, "d_model": 64, "num_layers": 2, "num_heads": 4, "d_ff": 128, "d_kv": 8},
        **{"pad_token_id": 0, "decoder_start_token_id": 0},
    },
    "Bart": _BOTH,
    "Pegasus": _BOTH,
}
"""Arguments of the configurations of models that read tokens."""

SIGHT: dict[str, dict[str, Any]] = {
    "ViT": _IMAGES,
    "DeiT": _IMAGES,
    "Beit": _IMAGES,
    "Dinov2": _IMAGES | {"mlp_ratio": 2},
    "ViTMAE": _IMAGES | {"mask_ratio": 0.0},
    "Swin": {
        "image_size": 32,
        "patch_size": 4,
        "embed_dim": 16,
        "depths": [2, 2],
        "num_heads": [2, 4],
        "window_size": 4,
    },
    "ConvNext": {"hidden_sizes": [16, 64], "depths": [1, 1], "num_stages": 2},
    "ResNet": {"embedding_size": 16, "hidden_sizes": [16, 64], "depths": [1, 1], "layer_type": "basic"},
    "MobileNetV2": {"depth_multiplier": 0.35},
    "EfficientNet": {"width_coefficient": 0.35, "depth_coefficient": 0.35, "image_size": 32, "hidden_dim": 448},
    "Segformer": {
        **{"num_encoder_blocks": 2, "depths": [1, 1], "hidden_sizes": [16, 64], "num_attention_heads": [1, 2]},
        **{"sr_ratios": [2, 1], "patch_sizes": [7, 3], "strides": [4, 2], "mlp_ratios": [2, 2]},
    },
    "PoolFormer": {
        "hidden_sizes": [16, 64],
        "depths": [1, 1],
        "num_encoder_blocks": 2,
        "patch_sizes": [7, 3],
        "strides": [4, 2],
        "padding": [2, 1],
    },
}
"""Arguments of the configurations of models that see images."""

HEARING: dict[str, dict[str, Any]] = {"Wav2Vec2": _SOUND, "Hubert": _SOUND, "WavLM": _SOUND}
"""Arguments of the configurations of models that hear sounds."""


def transformer(name: str, arguments: dict[str, Any]) -> torch.nn.Module:
    """A model of the transformers package, with random weights."""
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{name.removesuffix('Encoder')}Config")(**arguments)
    return getattr(transformers, f"{name}Model")(config).eval()


def of_transformers() -> dict[str, Callable[[], tuple[torch.nn.Module, dict[str, torch.Tensor]]]]:
    """How each model is made, with what it is called with."""
    made = {}
    for table, inputs in ((TEXT, tokens), (SIGHT, images), (HEARING, sounds)):
        for name, arguments in table.items():
            made[name] = lambda name=name, arguments=arguments, inputs=inputs: (transformer(name, arguments), inputs())
    for name in ("Bart", "Pegasus"):
        made[name] = lambda name=name: (
            transformer(name, TEXT[name]),
            tokens() | {"decoder_input_ids": tokens()["input_ids"]},
        )
    made["Whisper"] = lambda: (
        transformer("Whisper", _BOTH | {"num_mel_bins": 8, "max_source_positions": 16, "max_target_positions": 64}),
        {"input_features": torch.rand(2, 8, 32), "decoder_input_ids": tokens()["input_ids"][:2]},
    )
    made["CLIP"] = lambda: (
        transformer(
            "CLIP", {"text_config": _ENCODER | {"eos_token_id": 2}, "vision_config": _IMAGES, "projection_dim": 16}
        ),
        tokens() | images(),
    )
    return made


Called = tuple[torch.nn.Module, Any]


def of_x_transformers() -> dict[str, Callable[[], Called]]:
    """Models of the x-transformers package."""
    import x_transformers as xt

    def of_tokens(layers: torch.nn.Module) -> Called:
        model = xt.TransformerWrapper(num_tokens=VOCABULARY, max_seq_len=16, attn_layers=layers)
        return model.eval(), tokens()["input_ids"]

    size = {"dim": 32, "depth": 2, "heads": 4, "attn_dim_head": 8}
    return {
        "decoder": lambda: of_tokens(xt.Decoder(**size)),
        "encoder": lambda: of_tokens(xt.Encoder(**size)),
        "decoder with rotary embeddings and SwiGLU": lambda: of_tokens(
            xt.Decoder(**size, rotary_pos_emb=True, ff_glu=True, ff_swish=True, use_rmsnorm=True)
        ),
        "continuous": lambda: (
            xt.ContinuousTransformerWrapper(dim_in=8, dim_out=4, max_seq_len=16, attn_layers=xt.Encoder(**size)).eval(),
            torch.rand(3, TOKENS, 8),
        ),
        "vision": lambda: (
            xt.ViTransformerWrapper(image_size=16, patch_size=8, num_classes=5, attn_layers=xt.Encoder(**size)).eval(),
            torch.rand(2, 3, 16, 16),
        ),
    }


def of_torch_geometric() -> dict[str, Callable[[], Called]]:
    """Graph networks of the torch_geometric package, on a ring of ten nodes."""
    from torch_geometric.nn import models

    ring = torch.arange(10)
    edges = torch.stack([torch.cat([ring, (ring + 1) % 10]), torch.cat([(ring + 1) % 10, ring])])

    def of_nodes(name: str) -> Called:
        torch.manual_seed(0)
        model = getattr(models, name)(in_channels=32, hidden_channels=64, num_layers=2, out_channels=3)
        return model.eval(), (torch.rand(10, 32), edges)

    return {name: lambda name=name: of_nodes(name) for name in ("GCN", "GAT", "GraphSAGE", "GIN", "EdgeCNN", "MLP")}


def of_torch() -> dict[str, Callable[[], Called]]:
    """PyTorch's own layers, as people build with them."""
    nn = torch.nn

    class Classifier(nn.Module):
        """A recurrent net, the last step of which is classified."""

        def __init__(self, kind: type[nn.RNNBase], **options: Any):
            super().__init__()
            self.recurrent = kind(6, 12, batch_first=True, **options)
            self.head = nn.Linear(24 if options.get("bidirectional") else 12, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.head(self.recurrent(x)[0][:, -1])
            return found

    layer = {"d_model": 16, "nhead": 4, "dim_feedforward": 32, "batch_first": True}
    sequence = torch.rand(3, TOKENS, 16)
    short = torch.rand(3, TOKENS, 6)
    return {
        "TransformerEncoder": lambda: (nn.TransformerEncoder(nn.TransformerEncoderLayer(**layer), 2).eval(), sequence),
        "TransformerDecoder": lambda: (
            nn.TransformerDecoder(nn.TransformerDecoderLayer(**layer), 2).eval(),
            (sequence, sequence + 0.5),
        ),
        "Transformer": lambda: (nn.Transformer(16, 4, 2, 2, 32, batch_first=True).eval(), (sequence, sequence[:, :4])),
        "MultiheadAttention": lambda: (nn.MultiheadAttention(16, 4, batch_first=True).eval(), (sequence,) * 3),
        "LSTM": lambda: (Classifier(nn.LSTM).eval(), short),
        "LSTM of two layers, both ways": lambda: (Classifier(nn.LSTM, num_layers=2, bidirectional=True).eval(), short),
        "GRU": lambda: (Classifier(nn.GRU).eval(), short),
        "RNN": lambda: (Classifier(nn.RNN).eval(), short),
    }


def of_skorch() -> dict[str, Callable[[], tuple[Any, Any]]]:
    """Nets of skorch, initialised."""
    import skorch

    nn = torch.nn

    class Residual(nn.Module):
        """A layer with a shortcut."""

        def __init__(self, width: int):
            super().__init__()
            self.norm, self.dense = nn.LayerNorm(width), nn.Linear(width, width)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.relu(self.dense(self.norm(x)))

    def layered() -> torch.nn.Module:
        return nn.Sequential(
            *(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 32), nn.ReLU()),
            nn.Linear(32, 3),
        )

    def images() -> torch.nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16)),
            *(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)),
        )

    def net(kind: type, module: torch.nn.Module, inputs: torch.Tensor) -> tuple[Any, torch.Tensor]:
        torch.manual_seed(0)
        return kind(module, verbose=0, train_split=None).initialize(), inputs

    return {
        "NeuralNetClassifier": lambda: net(skorch.NeuralNetClassifier, layered(), torch.rand(8, 20)),
        "NeuralNetClassifier of images": lambda: net(skorch.NeuralNetClassifier, images(), torch.rand(8, 1, 16, 16)),
        "NeuralNetRegressor": lambda: net(
            skorch.NeuralNetRegressor,
            nn.Sequential(nn.Linear(20, 64), Residual(64), nn.Linear(64, 1)),
            torch.rand(8, 20),
        ),
    }


def of_keras(size: int = 96) -> dict[str, Callable[[], Any]]:
    """Models of keras.applications, with random weights, for images of `size` by `size`."""
    import keras

    names = (
        *("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0"),
        *("ResNet50", "ResNet50V2", "DenseNet121", "ConvNeXtTiny", "VGG16"),
    )
    return {
        name: lambda name=name: getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
        for name in names
    }
