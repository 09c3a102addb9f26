"""Reports of large networks: layers in their blocks, skips summed up, and the share of parameters that was measured."""

import contextlib
import io
import re

import numpy as np
import pytest
from click.testing import CliRunner
from large_models import Bert
from torch import nn

import ei_fast as ef
from ei_fast.cli import main
from ei_fast.network.shares import share_in_words, short
from ei_fast.shown.blocks import in_blocks, without_numbers
from ei_fast.shown.skips import skips_in_lines

QUICK = {"random_state": 0, "tol": 1.0, "pairwise": "none", "bins": 4}


def described(model, **options):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        ef.describe(model, **options)
    return out.getvalue().rstrip("\n").split("\n")


@pytest.fixture(scope="module")
def network():
    return ef.as_network(Bert(), input_shape=(5, 16))


@pytest.fixture(scope="module")
def report(network):
    return ef.analyze(network, **QUICK)


NAMES = {
    "bert": ("bert.encoder.layer.{}.attention.self.query", "bert.encoder.layer.{}", "attention.self.query"),
    "gpt2": ("transformer.h.{}.mlp.c_fc", "transformer.h.{}", "mlp.c_fc"),
    "llama": ("model.layers.{}.self_attn.q_proj", "model.layers.{}", "self_attn.q_proj"),
    "resnet": ("layer1.{}.conv1", "layer1.{}", "conv1"),
    "swin": ("layers.{}.blocks.1.mlp.fc1", "layers.{}", "blocks.1.mlp.fc1"),
    "sequential": ("features.{}.conv.0", "features.{}", "conv.0"),
    "first": ("{}.dense", "{}", "dense"),
    "onnx": ("/encoder/layer.{}/attention/q/MatMul", "/encoder/layer.{}", "attention/q/MatMul"),
    "linen": ("encoder/block_{}/Dense_0", "encoder/block_{}", "Dense_0"),
    "keras path": ("vit/transformer_layer_{}/dense", "vit/transformer_layer_{}", "dense"),
    "mobilenet": ("block_{}_expand", "block_{}", "expand"),
    "keras resnet": ("conv2_block{}_1_conv", "conv2_block{}", "1_conv"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_are_told_apart_into_block_and_layer(kind):
    name, block, inside = NAMES[kind]
    names = [one.format(k) for k in range(1, 9) for one in (name, name + "2")]
    assert in_blocks(["stem", *names, "head"]) == [
        ("", "stem"),
        *((block.format(k), one) for k in range(1, 9) for one in (inside, inside + "2")),
        ("", "head"),
    ]


@pytest.mark.parametrize(
    "names",
    [
        [f"{k}" for k in range(40)],
        [f"fc{k}" for k in range(40)],
        [f"layer{k}" for k in range(40)],
        [f"net.{k}" for k in range(40)],
        [f"dense_{k}" for k in range(40)],
        [f"layers.{k}.dense" for k in range(40)],
        [f"layers.0.{k}" for k in range(40)],
        [f"encoder.layer.{k}.{part}" for k in range(3) for part in "abcd"],
    ],
)
def test_few_layers_and_those_in_no_blocks_stand_as_they_are(names):
    assert in_blocks(names) is None


def test_a_layer_alone_in_its_block_has_its_whole_name():
    names = [f"h.{k}.{part}" for k in range(4) for part in "abc"] + ["h.4.a", "head"]
    assert in_blocks(names)[-2:] == [("", "h.4.a"), ("", "head")]


def test_a_small_network_prints_as_it_did():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    assert described(model)[2:] == [line for line in described(model, verbose=True)[2:]]
    assert len(described(model)) == 4
    report = ef.analyze(model, **QUICK)
    assert str(report) == report.text(verbose=True)
    assert len(str(report).split("\n")) == 4


def test_a_large_network_stands_in_its_blocks(network, report):
    for lines in (described(network), str(report).split("\n")):
        headings = [line for line in lines if re.fullmatch(r"bert\.encoder\.layer\.\d", line)]
        assert headings == [f"bert.encoder.layer.{k}" for k in range(3)]
        # Every layer stands once below its block, in the order of the network.
        shown, block = [], ""
        for line in lines[2:]:
            if line in headings:
                block = line
            elif match := re.match(r"  ([\w.]+) ", line):
                shown.append(f"{block}.{match[1]}")
            elif line.startswith("head "):
                shown.append("head")
        assert shown == [layer.name for layer in network]
    verbose = report.text(verbose=True).split("\n")
    assert [line.split(" ")[0] for line in verbose[2 : 2 + len(network)]] == [layer.name for layer in network]


def test_what_is_skipped_for_one_reason_stands_on_one_line(network, report):
    assert len(report.skipped) == len(network.skipped) > 15
    for lines, verbose in (
        (described(network), described(network, verbose=True)),
        (str(report).split("\n"), report.text(verbose=True).split("\n")),
    ):
        skips = [line for line in lines if line.startswith("skipped ")]
        assert len(skips) <= 6
        counted = [int(match[1]) if (match := re.match(r"skipped (\d+) × ", line)) else 1 for line in skips]
        assert sum(counted) == len(network.skipped)
        [norms] = [line for line in skips if "LayerNorm" in line]
        assert norms.startswith(
            "skipped 7 × bert.embeddings.LayerNorm, bert.encoder.layer.*.attention.output.LayerNorm"
        )
        assert "'bert.encoder" not in norms
        each = [line for line in verbose if line.startswith("skipped ")]
        assert each == [f"skipped {name}: {reason}" for name, reason in network.skipped]


def test_few_skips_stand_each_on_its_line():
    few = [(f"n.{k}", "why") for k in range(8)]
    assert skips_in_lines(few) == [f"skipped n.{k}: why" for k in range(8)]
    assert skips_in_lines([*few, ("n.8", "why")]) == ["skipped 9 × n.*: why"]
    many = [*few, ("n.8", "why"), ("other", "not 'a'"), ("else", "not 'b'")]
    assert skips_in_lines(many) == ["skipped 9 × n.*: why", "skipped 2 × other, else: not 'a'; not 'b'"]
    assert skips_in_lines(many, "note on", verbose=True)[0] == "note on n.0: why"
    unlike = [(name, "why") for name in "abcdefghi"]
    assert skips_in_lines(unlike) == ["skipped 9 × a, b, c, d, and 5 more: why"]


def test_reasons_that_say_different_things_stay_apart():
    skipped = [(f"a.{k}", "add of 2 values is no dense layer") for k in range(5)]
    skipped += [(f"b.{k}", f"relu is no dense layer; layer 'x{k}' is measured without it") for k in range(5)]
    assert skips_in_lines(skipped) == [
        "skipped 5 × a.*: add of 2 values is no dense layer",
        "skipped 5 × b.*: relu is no dense layer; the layers before are measured without them",
    ]


def test_the_last_line_says_the_share_that_was_measured(network, report):
    model = Bert()
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    tables = sum(n for name, n in sizes.items() if "embeddings.weight" in name)
    norms = sum(n for name, n in sizes.items() if "LayerNorm" in name)
    dense = sum(sizes.values()) - tables - norms
    expected = ef.ParameterCount(sum(sizes.values()), dense, tables, (("LayerNorm", 7, norms),))
    assert network.parameters == expected
    assert report.provenance["model_parameters"] == expected.to_dict()
    share = np.floor(1000 * dense / (dense + norms)) / 10
    line = f"{share} % of 6.7 k parameters measured beside 3.6 k of embeddings; not measured: 7 × LayerNorm 224"
    assert described(network)[-1] == line
    assert str(report).split("\n")[-1] == line
    assert f"<p>{line}</p>" in report._repr_html_()


def test_the_share_is_kept_with_the_report(report, tmp_path):
    report.save(tmp_path / "report.npz")
    loaded = ef.Report.load(tmp_path / "report.npz")
    assert str(loaded) == str(report)
    assert loaded.provenance == report.provenance
    del loaded.provenance["model_parameters"]
    loaded.save(tmp_path / "older.npz")
    older = ef.Report.load(tmp_path / "older.npz")
    assert "parameters measured" not in str(older)
    assert older.text().split("\n") == str(report).split("\n")[:-1]


def test_a_frame_and_rows_are_as_they_were(report):
    assert report.to_frame()["name"].tolist() == [layer.name for layer in report]
    assert "block" not in report.rows()[0]


def test_a_notebook_shows_the_blocks(report):
    html = report._repr_html_()
    assert html.count('<th colspan="') == 3
    assert html.count("<tr>") == 1 + len(report) + 3
    assert html.index("bert.encoder.layer.1</th>") < html.index("<bdi>bert.encoder.layer.1.attention.self.query")
    assert html.count("<p>skipped") <= 6


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (224, "224"), (999, "999"), (1000, "1.0 k"), (9949, "9.9 k"), (9999, "10 k"), (37_123, "37 k"),
     (999_499, "999 k"), (999_999, "1.0 M"), (4_400_000, "4.4 M"), (109_482_240, "109 M"), (7.1e9, "7.1 G")],
)  # fmt: skip
def test_numbers_are_short(number, said):
    assert short(int(number)) == said


def test_all_is_said_of_all_alone():
    assert share_in_words(ef.ParameterCount(10, 10)) == "100 % of 10 parameters measured"
    assert share_in_words(ef.ParameterCount(10**6, 10**6 - 1, 0, (("PReLU", 1, 1),))).startswith("99.9 % of 1.0 M")
    assert share_in_words(ef.ParameterCount(40, 0, 40)) == "100 % of 0 parameters measured beside 40 of embeddings"
    many = tuple((f"K{k}", 1, 10 - k) for k in range(6))
    assert share_in_words(ef.ParameterCount(145, 100, 0, many)).endswith(
        "not measured: K0 10, K1 9, K2 8, K3 7, 2 other kinds 11"
    )


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("bert.encoder.layer.3.output", "bert.encoder.layer.*.output"),
        ("h.11.ln_1", "h.*.ln_*"),
        ("layer1.0.conv1", "layer*.*.conv1"),
        ("block_3_expand", "block_*_expand"),
        ("conv2d", "conv2d"),
        ("12", "*"),
    ],
)
def test_names_of_blocks_alike_are_the_same_without_numbers(name, alike):
    assert without_numbers(name) == alike


def test_the_command_prints_the_same(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for k in range(4):
        for part in ("inner", "middle", "outer", "last"):
            arrays[f"layers.{k}.{part}.weight"] = rng.normal(size=(3, 3))
    arrays["norm.weight"] = np.ones((5, 7, 2))
    np.savez(tmp_path / "net.npz", **arrays)
    order = [name.removesuffix(".weight") for name in arrays if name.startswith("layers")]
    lines = described(tmp_path / "net.npz", order=order, activation="tanh")
    assert [line for line in lines if re.fullmatch(r"layers\.\d", line)] == [f"layers.{k}" for k in range(4)]
    assert lines[-1] == "67.2 % of 214 parameters measured; not measured: norm 70"
    options = ["--order", ",".join(order), "--activation", "tanh"]
    typed = CliRunner().invoke(main, ["describe", str(tmp_path / "net.npz"), *options])
    assert typed.output.rstrip("\n").split("\n") == lines
    typed = CliRunner().invoke(main, ["describe", str(tmp_path / "net.npz"), "--verbose", *options])
    assert typed.output.rstrip("\n").split("\n") == described(
        tmp_path / "net.npz", verbose=True, order=order, activation="tanh"
    )
    measured = ["analyze", str(tmp_path / "net.npz"), *options, "--bins", "4", "--pairwise", "none", "--tol", "1"]
    table = CliRunner().invoke(main, measured).output
    assert "\nlayers.2\n  inner " in table
    assert table.rstrip("\n").endswith(lines[-1])
    assert "\nlayers.2.inner " in CliRunner().invoke(main, [*measured, "--verbose"]).output
