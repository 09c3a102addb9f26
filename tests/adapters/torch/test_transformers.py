"""Models of transformers, of tiny sizes and with random weights, read on what they are called with."""

import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef

transformers = pytest.importorskip("transformers")

N, H, LAYERS, HEADS, INNER = 50, 16, 2, 2, 24
TOKENS = torch.randint(3, N, (3, 8), generator=torch.Generator().manual_seed(0))
CALL = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS)}
BOTH = {**CALL, "decoder_input_ids": TOKENS[:, :6]}
IMAGES = {"pixel_values": torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))}
COMMON = {
    **{"vocab_size": N, "hidden_size": H, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS},
    **{"intermediate_size": INNER, "max_position_embeddings": 32},
}
DECODER = {**COMMON, "num_key_value_heads": 1, "head_dim": 8}
VISION = {
    **{"hidden_size": H, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": INNER},
    **{"image_size": 32, "patch_size": 8},
}
SEQ2SEQ = {
    **{"vocab_size": N, "d_model": H, "encoder_layers": LAYERS, "decoder_layers": LAYERS},
    **{"encoder_attention_heads": HEADS, "decoder_attention_heads": HEADS},
    **{"encoder_ffn_dim": INNER, "decoder_ffn_dim": INNER},
}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GPT2 = {"vocab_size": N, "n_embd": H, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 32}
SOUND = {
    **{"hidden_size": H, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": INNER},
    **{"conv_dim": (8, 8), "conv_stride": (5, 2), "conv_kernel": (10, 3), "num_feat_extract_layers": 2},
    **{"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2},
}

FAST = [
    ("BertModel", "BertConfig", COMMON, CALL),
    ("GPT2LMHeadModel", "GPT2Config", {**GPT2, **SPECIAL}, CALL),
    ("LlamaForCausalLM", "LlamaConfig", DECODER, CALL),
    (
        "T5Model",
        "T5Config",
        {"vocab_size": N, "d_model": H, "d_kv": 8, "d_ff": INNER, "num_layers": 2, "num_heads": 2},
        BOTH,
    ),
    ("ViTModel", "ViTConfig", VISION, IMAGES),
]
SLOW = [
    ("BertForMaskedLM", "BertConfig", COMMON, {**CALL, "token_type_ids": torch.zeros_like(TOKENS)}),
    ("BertForSequenceClassification", "BertConfig", COMMON, {**CALL, "labels": torch.tensor([0, 1, 0])}),
    ("MistralForCausalLM", "MistralConfig", DECODER, CALL),
    ("GemmaForCausalLM", "GemmaConfig", DECODER, CALL),
    ("Qwen2ForCausalLM", "Qwen2Config", DECODER, CALL),
    ("MixtralModel", "MixtralConfig", {**DECODER, "num_local_experts": 2}, CALL),
    (
        *("DistilBertModel", "DistilBertConfig"),
        {"vocab_size": N, "dim": H, "n_layers": 2, "n_heads": 2, "hidden_dim": INNER, "max_position_embeddings": 32},
        CALL,
    ),
    ("RobertaModel", "RobertaConfig", COMMON, CALL),
    ("ElectraModel", "ElectraConfig", {**COMMON, "embedding_size": 12}, CALL),
    ("AlbertModel", "AlbertConfig", {**COMMON, "embedding_size": 12}, CALL),
    ("DebertaModel", "DebertaConfig", COMMON, CALL),
    ("DebertaV2Model", "DebertaV2Config", COMMON, CALL),
    (
        *("MobileBertModel", "MobileBertConfig"),
        {**COMMON, "embedding_size": 12, "true_hidden_size": 12, "intra_bottleneck_size": 12},
        CALL,
    ),
    ("BartModel", "BartConfig", {**SEQ2SEQ, "max_position_embeddings": 32}, BOTH),
    ("GPTNeoXModel", "GPTNeoXConfig", COMMON, CALL),
    ("PhiModel", "PhiConfig", COMMON, CALL),
    ("BloomModel", "BloomConfig", {"vocab_size": N, "hidden_size": H, "n_layer": 2, "n_head": 2}, CALL),
    (
        *("OPTModel", "OPTConfig"),
        {**{k: v for k, v in COMMON.items() if k != "intermediate_size"}, "ffn_dim": INNER, "word_embed_proj_dim": H},
        CALL,
    ),
    ("XLNetModel", "XLNetConfig", {"vocab_size": N, "d_model": H, "n_layer": 2, "n_head": 2, "d_inner": INNER}, CALL),
    ("DeiTModel", "DeiTConfig", VISION, IMAGES),
    (
        *("SwinModel", "SwinConfig"),
        {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4},
        IMAGES,
    ),
    ("ConvNextModel", "ConvNextConfig", {"hidden_sizes": [4, 8], "depths": [1, 1], "num_stages": 2}, IMAGES),
    (
        *("ResNetModel", "ResNetConfig"),
        {"embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1], "layer_type": "basic"},
        IMAGES,
    ),
    ("Wav2Vec2Model", "Wav2Vec2Config", SOUND, torch.rand(2, 400)),
    (
        *("WhisperModel", "WhisperConfig"),
        {**SEQ2SEQ, **SPECIAL, "decoder_start_token_id": 1, "num_mel_bins": 6}
        | {"max_source_positions": 10, "max_target_positions": 16},
        {"input_features": torch.rand(3, 6, 20), "decoder_input_ids": TOKENS[:, :5]},
    ),
    (
        *("CLIPModel", "CLIPConfig"),
        {"text_config": {**COMMON, **SPECIAL}, "vision_config": VISION, "projection_dim": 8},
        {**{key: one[:2] for key, one in CALL.items()}, **IMAGES},
    ),
    (
        *("MambaModel", "MambaConfig"),
        {"vocab_size": N, "hidden_size": H, "num_hidden_layers": 2, "state_size": 4, "time_step_rank": 4},
        {"input_ids": TOKENS},
    ),
]


BY_WHOLE = {"MambaModel": "dt_proj"}
"""Linear layers that are not called, but whose weight is."""


def linear_layers(model):
    return {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}


def check(of, config, options, given):
    torch.manual_seed(0)
    model = getattr(transformers, of)(getattr(transformers, config)(**options)).eval()
    net = ef.as_network(model, example_inputs=given)
    parts = dict(model.named_modules())
    # Experts, and weights that a module holds itself, are no modules of their own.
    found = [(layer, parts.get(layer.name.partition("#")[0])) for layer in net]
    linear = [(layer, part) for layer, part in found if isinstance(part, nn.Linear)]
    # Nothing is missing, and what is there has the model's own weights: scales on the way may be taken in.
    missing = set(linear_layers(model)) - {layer.name.partition("#")[0] for layer in net}
    if of in BY_WHOLE:
        # The module that holds it computes with its weight, and gives the layer its name.
        assert {name.rpartition(".")[2] for name in missing} == {BY_WHOLE[of]}
        for name in missing:
            own = parts[name].weight.detach().double().numpy().T
            assert any(
                layer.name.startswith(name.rpartition(".")[0]) and np.array_equal(layer.weight, own) for layer in net
            )
    else:
        assert not missing
    for layer, part in linear:
        own = part.weight.detach().double().numpy().T
        assert layer.weight.shape == own.shape
        # With what is folded in, a scale and shift an input or an output, the rank of their ratio is 1.
        assert np.allclose(np.corrcoef(layer.weight.ravel(), own.ravel())[0, 1], 1.0, atol=0.05), layer.name
    assert len(net.seen) == len(net)
    seen_by_hooks(model, given, linear, dict(zip([layer.name for layer in net], net.seen, strict=True)))
    return net


def seen_by_hooks(model, given, linear, seen):
    """What layers were seen to receive is what hooks see them receive, where nothing was folded into them."""
    calls = {}

    def hook(name):
        return lambda _, x, y: calls.setdefault(name, []).append(
            tuple((float(v.min()), float(v.max())) for v in (x[0], y))
        )

    handles = [part.register_forward_hook(hook(name)) for name, part in linear_layers(model).items()]
    with torch.no_grad():
        model(**given) if isinstance(given, dict) else model(given)
    for handle in handles:
        handle.remove()
    n_equal = 0
    for layer, part in linear:
        name, _, number = layer.name.partition("#")
        if not np.array_equal(layer.weight, part.weight.detach().double().numpy().T):
            continue
        n_equal += 1
        x, y = calls[name][int(number or 1) - 1]
        size = max(map(abs, x))
        np.testing.assert_allclose(seen[layer.name][0], x, rtol=1e-4, atol=1e-4 * size)
        if str(layer.activation) == "linear" and np.array_equal(layer.bias, bias_of(part)):
            np.testing.assert_allclose(seen[layer.name][1], y, rtol=1e-4, atol=1e-4 * max(map(abs, y)))
    assert n_equal >= len(linear) / 2 or not linear


def bias_of(part):
    return np.zeros(part.out_features) if part.bias is None else part.bias.detach().double().numpy()


@pytest.mark.parametrize(
    ("of", "config", "options", "given"), FAST, ids=lambda one: one if isinstance(one, str) else ""
)
def test_common_models(of, config, options, given):
    check(of, config, options, given)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of", "config", "options", "given"), SLOW, ids=lambda one: one if isinstance(one, str) else ""
)
def test_other_models(of, config, options, given):
    check(of, config, options, given)


def test_a_bert_is_measured_on_a_batch_of_tokens():
    torch.manual_seed(0)
    model = transformers.BertModel(transformers.BertConfig(**COMMON)).eval()
    report = ef.analyze(
        model,
        example_inputs=transformers.BatchEncoding(CALL),
        in_range="seen",
        out_range="seen",
        tol=1.0,
        random_state=0,
    )
    assert len(report) == 13
    query = report["encoder.layer.0.attention.self.query"]
    embedded = model.embeddings(TOKENS).detach()
    assert query.in_range == pytest.approx((float(embedded.min()), float(embedded.max())), rel=1e-5)
    given = model.encoder.layer[0].attention.self.query(embedded).detach()
    assert query.out_range == pytest.approx((float(given.min()), float(given.max())), rel=1e-5)


def test_a_model_of_tokens_without_examples_says_what_to_give():
    model = transformers.BertModel(transformers.BertConfig(**COMMON))
    with pytest.raises(ValueError, match="takes indices.*Give example_inputs=, a batch of integers") as raised:
        ef.as_network(model)
    assert not getattr(raised.value, "__notes__", [])
