"""Which checkpoints are found, and the run and step of each."""

import ast
import re

import numpy as np
import pytest

from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.finding.checkpoints import find_checkpoints
from ei_fast.cluster.running.log import runs_and_steps


def _touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def _told(where, **options):
    _, found, _ = find_checkpoints(str(where), **options)
    return [(one.run, one.step, one.path) for one in found]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("ckpt_0010.npz", 10),
        ("model-3.pt", 3),
        ("epoch=12-step=3400.ckpt", 3400),
        ("7.safetensors", 7),
        ("v2_model_8.safetensors.index.json", 8),
        ("weights.00000000000000000000012.keras", 12),
        ("net5.onnx", 5),
        ("epoch_06.weights.h5", 6),
        ("model2.h5", 2),
    ],
)
def test_a_step_is_the_number_that_words_call_so_or_the_only_one(tmp_path, name, step):
    assert _told(_touch(tmp_path, name)) == [("", step, name)]


def test_a_pattern_of_ones_own(tmp_path):
    _touch(tmp_path, "epoch=12-step=3400.ckpt", "epoch=2-step=600.ckpt")
    assert [step for _, step, _ in _told(tmp_path, step_pattern=r"epoch=(\d+)")] == [2, 12]


def test_folders_are_runs_and_steps_are_in_order(tmp_path):
    _touch(
        tmp_path, "b/ckpt_10.npz", "b/ckpt_9.npz", "a/ckpt_1.npz", "b/notes.txt", ".hidden/ckpt_1.npz", "b/.ckpt_2.npz"
    )
    base, found, ignored = find_checkpoints(str(tmp_path))
    assert base == tmp_path
    assert [(one.run, one.step) for one in found] == [("a", 1), ("b", 9), ("b", 10)]
    assert ignored == ["b/notes.txt"]


def test_what_all_runs_end_in_is_no_part_of_their_names(tmp_path):
    _touch(tmp_path, "version_0/checkpoints/epoch=1.ckpt", "version_1/checkpoints/epoch=1.ckpt")
    assert [run for run, _, _ in _told(tmp_path)] == ["version_0", "version_1"]


def test_a_glob(tmp_path):
    _touch(tmp_path, "x/seed0/ckpt_1.npz", "x/seed1/ckpt_1.npz", "y/seed0/ckpt_1.npz", "x/seed0/other_1.npz")
    assert [run for run, _, _ in _told(tmp_path / "x" / "*" / "ckpt_*.npz")] == ["seed0", "seed1"]
    assert [run for run, _, _ in _told(tmp_path / "*" / "*" / "ckpt_*.npz")] == ["x/seed0", "x/seed1", "y/seed0"]
    assert _told(tmp_path / "x" / "seed0" / "ckpt*.npz") == [("", 1, "ckpt_1.npz")]


def test_files_of_an_index_are_no_checkpoints(tmp_path):
    _touch(tmp_path, "m_5.safetensors.index.json", "m_5-00001-of-00002.safetensors", "m_5-00002-of-00002.safetensors")
    assert _told(tmp_path) == [("", 5, "m_5.safetensors.index.json")]


def test_the_folder_of_the_batch_is_not_searched(tmp_path):
    _touch(tmp_path, "ckpt_1.npz", "out/parts/all/1.npz")
    assert _told(tmp_path, apart_from=tmp_path / "out") == [("", 1, "ckpt_1.npz")]


def test_a_table(tmp_path):
    _touch(tmp_path / "c", "one.npz", "two.npz", "left_out.npz")
    table = tmp_path / "table.csv"
    table.write_text("file,step,run,loss,accuracy\ntwo.npz,20,late,0.5,\none.npz,10,early,0.75,0.9\n")
    _, found, ignored = find_checkpoints(str(tmp_path / "c"), table=table)
    assert [(one.run, one.step, one.path, one.metrics) for one in found] == [
        ("early", 10, "one.npz", {"loss": 0.75, "accuracy": 0.9}),
        ("late", 20, "two.npz", {"loss": 0.5}),
    ]
    assert ignored == ["left_out.npz"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,step\na_1.npz,1\n", "must have a column 'file'"),
        ("file,step\nother.npz,1\n", "line 2, names 'other.npz'"),
        ("file,step\na_1.npz,one\n", "must have a whole number >= 0 as step. Got 'one'"),
        ("file,step\na_1.npz,-1\n", "must have a whole number >= 0 as step. Got '-1'"),
        ("file,loss\na_1.npz,low\n", "must have numbers or nothing as 'loss'. Got 'low'"),
        ("file,step\na_1.npz\n", "line 2, must have one entry for each of file, step"),
        ("file,step\na_1.npz,1,2\n", "line 2, must have one entry for each of file, step"),
        ("file,step\na_1.npz,1\na_1.npz,1\n", "names .a_1.npz., which a line before it does"),
        ("file,step,run\na_1.npz,1,../up\n", "must be a name. Got '../up'"),
        ("file,step,run\na_1.npz,1,.\n", "must be a name. Got '.'"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, message):
    _touch(tmp_path / "c", "a_1.npz")
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        find_checkpoints(str(tmp_path / "c"), table=tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "Found none among 0 files"),
        (["notes.txt"], {}, "Found none among 1 files"),
        (["model.npz"], {}, "The step of 'model.npz' cannot be told"),
        (["model_1.npz", "other_1.npz"], {}, "'model_1.npz' and 'other_1.npz' have the same step, 1"),
        (["model_1.npz", "run/model_1.npz"], {}, "Found 'model_1.npz' and 'run/model_1.npz'"),
        (["model_1.npz"], {"step_pattern": "("}, "is no regular expression"),
        (["model_1.npz"], {"step_pattern": r"\d+"}, "must have one group"),
        (["model_1.npz"], {"step_pattern": r"(\w+)"}, "finds no number"),
        ([f"model_{2**63}.npz"], {}, "must be from 0 to"),
    ],
)
def test_folders_that_are_refused(tmp_path, names, options, message):
    _touch(tmp_path, *names)
    with pytest.raises(ValueError, match=message):
        find_checkpoints(str(tmp_path), **options)


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match="must be a folder that exists, or a glob"):
        find_checkpoints(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="Found none"):
        find_checkpoints(str(tmp_path / "nowhere" / "*.npz"))


def test_ten_thousand_are_found_at_once(tmp_path):
    _touch(tmp_path, *(f"ckpt_{step}.npz" for step in range(10_000)))
    steps = np.array([step for _, step, _ in _told(tmp_path)])
    np.testing.assert_array_equal(steps, np.arange(10_000))


def _steps(folder, names, suffix=".ckpt", **options):
    _touch(folder, *(f"{name}{suffix}" for name in names))
    return [step for _, step, _ in _told(folder, **options)]


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["epoch=1-val_loss=0.75", "epoch=2-val_loss=0.5", "epoch=10-val_loss=0.25"], [1, 2, 10]),
        (["epoch=3-step=40", "epoch=11-step=140-v1"], [40, 140]),
        (["weights.01-0.90", "weights.02-0.50"], [1, 2]),
        (["loss=1e-3_step5", "loss=5e-4_step10"], [5, 10]),
        (["step5_lr3e-4", "step10_lr3e-4"], [5, 10]),
        (["llama-7b-step100", "llama-7b-step2000"], [100, 2000]),
        (["llama-7b-100", "llama-7b-2000"], [100, 2000]),
        (["step_100_fp16", "step_90_fp16"], [90, 100]),
        (["10_bf16", "9_bf16"], [9, 10]),
        (["3fa9c1b2-10", "9e107d9d-20"], [10, 20]),
        (["ckpt_10_3fa9c1b", "ckpt_9_0e2d3c4"], [9, 10]),
        (["2024-01-31_step100", "2024-02-01_step200"], [100, 200]),
        (["20240131-120000_7", "20240201-120000_8"], [7, 8]),
        (["global_step500", "global_step1000"], [500, 1000]),
        (["ModelEpoch9", "ModelEpoch10"], [9, 10]),
        (["9_epochs", "10_epochs"], [9, 10]),
        (["100steps", "20steps"], [20, 100]),
        (["iter_10_seed_3", "iter_20_seed_3"], [10, 20]),
        (["max_steps=900-step=10", "max_steps=900-step=20"], [10, 20]),
        (["epoch3_acc95", "epoch4_acc93"], [3, 4]),
        (["epoch=3-f1=92", "epoch=4-f1=90"], [3, 4]),
        (["epoch_1_of_20", "epoch_2_of_20"], [1, 2]),
        (["step-50K-105b", "step-1M-2b"], [50_000, 1_000_000]),
        (["resnet50_9", "resnet50_10"], [9, 10]),
        (["epoch_0_100", "epoch_0_200", "epoch_1_300"], [100, 200, 300]),
        (["init_0", "step_10", "final_20"], [0, 10, 20]),
        (["mlp_64_9", "mlp_64_10"], [9, 10]),
        (["epoch=1,loss=0,75", "epoch=2,loss=0,5"], [1, 2]),
    ],
)
def test_no_part_of_a_loss_version_hash_or_size_is_a_step(tmp_path, names, steps):
    assert _steps(tmp_path, names) == steps


@pytest.mark.parametrize(
    ("names", "shown", "pattern", "steps"),
    [
        (["epoch_0_it_900", "epoch_1_it_100"], "iteration 900", r"epoch_(\d+)", [0, 1]),
        (["epoch_0_900", "epoch_1_100"], "epoch 0, number 900", r"epoch_(\d+)", [0, 1]),
        (["model_1_100", "model_2_200"], "number 1, number 100", r"(\d+)(?!.*\d)", [100, 200]),
        (["model_1_200", "model_2_100"], "number 1, number 200", r"model_(\d+)", [1, 2]),
        (["ckpt_1_1000", "ckpt_2_2000"], "checkpoint 1, number 1000", r"ckpt_(\d+)", [1, 2]),
        (["model_64_10"], "number 64, number 10", r"(\d+)(?!.*\d)", [10]),
        (["step_100", "epoch_3"], "step 100", r"_(\d+)", [3, 100]),
        (["step100_2024-01-02", "step200_2024-01-01"], "step 100", r"step(\d+)", [100, 200]),
        (["model_10", "model_20_3"], "number 20, number 3", r"model_(\d+)", [10, 20]),
    ],
)
def test_names_that_can_be_read_in_two_ways_are_refused_with_the_option_that_decides(
    tmp_path, names, shown, pattern, steps
):
    with pytest.raises(ValueError, match="The steps of the checkpoints cannot be told") as refused:
        _steps(tmp_path, names)
    said = str(refused.value)
    assert shown in said
    assert "step_pattern=" in said
    assert len(said.splitlines()) < 8
    assert _steps(tmp_path, names, step_pattern=pattern) == steps
    for given in re.findall(r"step_pattern=('[^']+') for", said):
        assert len(_steps(tmp_path, names, step_pattern=ast.literal_eval(given))) == len(names)


@pytest.mark.parametrize(
    "name", ["step_-1", "last-v1", "last", "loss=0.75", "loss=1e-3", "llama-7b", "fp16", "3fa9c1b2", "lr3e-4"]
)
def test_a_name_without_a_step_is_refused_with_its_remedies(tmp_path, name):
    with pytest.raises(ValueError, match=f"The step of '{name}.ckpt' cannot be told.*step_pattern=.*table="):
        _steps(tmp_path, [name])


def test_the_same_step_twice_is_refused_where_a_version_tells_files_apart(tmp_path):
    with pytest.raises(ValueError, match="have the same step, 140. Give a glob"):
        _steps(tmp_path, ["epoch=11-step=140", "epoch=11-step=140-v1"])


def test_a_step_in_the_name_of_a_folder_is_found_by_a_pattern_and_is_no_part_of_the_run(tmp_path):
    _touch(tmp_path / "one", "checkpoint-500/model.safetensors", "checkpoint-1000/model.safetensors")
    with pytest.raises(ValueError, match=r"Give step_pattern='checkpoint-\(\\\\d\+\)'"):
        _told(tmp_path / "one")
    assert [told[:2] for told in _told(tmp_path / "one", step_pattern=r"checkpoint-(\d+)")] == [("", 500), ("", 1000)]
    _touch(tmp_path / "two", *(f"seed{seed}/step_{step}/sub/model.npz" for seed in (0, 1) for step in (9, 10)))
    told = _told(tmp_path / "two", step_pattern=r"step_(\d+)/")
    assert [one[:2] for one in told] == [("seed0", 9), ("seed0", 10), ("seed1", 9), ("seed1", 10)]
    told = _told(tmp_path / "two" / "*" / "*" / "*" / "*.npz", step_pattern=r"step_(\d+)/sub/model$")
    assert [one[:2] for one in told] == [("seed0", 9), ("seed0", 10), ("seed1", 9), ("seed1", 10)]


def test_a_pattern_that_finds_steps_in_names_and_in_folders_is_refused(tmp_path):
    _touch(tmp_path, "a/checkpoint-500/model.npz", "a/checkpoint-500/model_3.npz")
    with pytest.raises(ValueError, match="must find the steps of all checkpoints in the names of files, or of all"):
        _told(tmp_path, step_pattern=r"[_-](\d+)")


def test_steps_that_a_table_leaves_out_are_told_from_the_names_of_their_run(tmp_path):
    _touch(tmp_path / "c", "epoch=1-loss=0.5.npz", "epoch=2-loss=0.25.npz", "odd.npz", "unlisted.npz")
    table = tmp_path / "table.csv"
    table.write_text("file,step\nepoch=1-loss=0.5.npz,\nepoch=2-loss=0.25.npz,\nodd.npz,7\n")
    assert [step for _, step, _ in _told(tmp_path / "c", table=table)] == [1, 2, 7]
    assert [step for _, step, _ in _told(tmp_path / "c", table=table, step_pattern=r"epoch=(\d+)")] == [1, 2, 7]


def test_the_table_of_what_was_read_is_short():
    found = [Checkpoint(f"seed{run:02d}", step, f"ckpt_{step}.npz") for run in range(50) for step in range(1000)]
    lines = runs_and_steps(found).splitlines()
    assert lines[2] == "seed00         1000  0, 1, 2, ..., 999  ckpt_0.npz"
    assert lines[-1] == "... and 38 more runs"
    assert len(lines) == 15


def _runs(folder, names, suffix=".ckpt", **options):
    _touch(folder, *(f"{name}{suffix}" for name in names.split()))
    runs = {}
    for run, step, _ in _told(folder, **options):
        runs.setdefault(run, []).append(step)
    return runs


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        ("seed1_epoch1 seed1_epoch2 seed2_epoch1", {"seed1": [1, 2], "seed2": [1]}),
        ("epoch1_seed1 epoch2_seed1 epoch1_seed2", {"seed1": [1, 2], "seed2": [1]}),
        ("seed1_epoch7 seed2_epoch9", {"seed1": [7], "seed2": [9]}),
        ("ModelSeed1Epoch3 ModelSeed1Epoch4 ModelSeed2Epoch3", {"ModelSeed1": [3, 4], "ModelSeed2": [3]}),
        ("run-3_ckpt_1 run-3_ckpt_2 run-4_ckpt_1", {"run-3": [1, 2], "run-4": [1]}),
        ("trial_1_step_5 trial_2_step_5", {"trial_1": [5], "trial_2": [5]}),
        ("exp1_model_10 exp1_model_20 exp2_model_10", {"exp1_model": [10, 20], "exp2_model": [10]}),
        ("mlp_s0_ep10 mlp_s0_ep20 mlp_s1_ep10", {"mlp_s0": [10, 20], "mlp_s1": [10]}),
        ("lr0.1_epoch3 lr0.1_epoch4 lr0.01_epoch3", {"lr0.01": [3], "lr0.1": [3, 4]}),
        ("a_lr1e-3_10 a_lr1e-3_20 a_lr3e-4_10", {"a_lr1e-3": [10, 20], "a_lr3e-4": [10]}),
        ("bs32_step10 bs32_step20 bs64_step10", {"bs32": [10, 20], "bs64": [10]}),
        ("fold2-best-epoch=7 fold2-last-epoch=9 fold3-best-epoch=5", {"fold2": [7, 9], "fold3": [5]}),
        ("resnet18_1 resnet18_2 resnet50_1 resnet50_2", {"resnet18": [1, 2], "resnet50": [1, 2]}),
        ("mlp_64_epoch9 mlp_64_epoch10 mlp_128_epoch9", {"mlp_128": [9], "mlp_64": [9, 10]}),
        ("llama-7b-step9 llama-7b-step10 llama-13b-step9 llama-13b-step10",
         {"llama-13b": [9, 10], "llama-7b": [9, 10]}),
        ("3fa9c1b2_ep1 3fa9c1b2_ep2 9e107d9d_ep1", {"3fa9c1b2": [1, 2], "9e107d9d": [1]}),
        ("k3j2h1x9-step10 k3j2h1x9-step20 p0q8w7e6-step10", {"k3j2h1x9": [10, 20], "p0q8w7e6": [10]}),
        ("2024-01-31_step1 2024-01-31_step2 2024-02-01_step1", {"2024-01-31": [1, 2], "2024-02-01": [1]}),
        ("mlp_1 mlp_2 cnn_1 cnn_2", {"cnn": [1, 2], "mlp": [1, 2]}),
        ("größe_1 größe_2 länge_1 länge_2", {"größe": [1, 2], "länge": [1, 2]}),
        ("7_net_G 8_net_G 7_net_D 8_net_D", {"net_D": [7, 8], "net_G": [7, 8]}),
        ("ppo_model_1000_steps ppo_model_2000_steps sac_model_1000_steps",
         {"ppo_model": [1000, 2000], "sac_model": [1000]}),
        ("seed1_epoch=1-val_loss=0.7 seed1_epoch=2-val_loss=0.6 seed2_epoch=1-val_loss=0.8",
         {"seed1": [1, 2], "seed2": [1]}),
        ("seed1-3fa9c1b2_10 seed1-9e107d9d_20 seed2-aaa9c1b2_10", {"seed1": [10, 20], "seed2": [10]}),
    ],
)  # fmt: skip
def test_files_of_one_folder_whose_names_differ_in_more_than_the_step_are_runs_of_their_own(tmp_path, names, runs):
    assert _runs(tmp_path, names) == runs


@pytest.mark.parametrize(
    ("names", "suffix", "steps"),
    [
        ("epoch=0-step=10 epoch=1-step=20 epoch=2-step=30", ".ckpt", [10, 20, 30]),
        ("epoch=3-step=40 epoch=11-step=140-v1", ".ckpt", [40, 140]),
        ("epoch=1-val_loss=0.75 epoch=2-val_loss=0.5 epoch=3-val_loss=0.5", ".ckpt", [1, 2, 3]),
        ("epoch=1 epoch=2-val_loss=0.5", ".ckpt", [1, 2]),
        ("best-epoch=7 last-epoch=9", ".ckpt", [7, 9]),
        ("weights.01-0.90 weights.02-0.85 weights.03-0.85", ".keras", [1, 2, 3]),
        ("checkpoint_1_5000 checkpoint_1_6000 checkpoint_2_7000", ".pt", [5000, 6000, 7000]),
        ("checkpoint1 checkpoint2 checkpoint_best_3", ".pt", [1, 2, 3]),
        ("rl_model_1000_steps rl_model_2000_steps", ".pth", [1000, 2000]),
        ("epoch3_dice0.91 epoch4_dice0.92", ".pt", [3, 4]),
        ("init_0 step_10 final_20", ".npz", [0, 10, 20]),
        ("3fa9c1b2-10 9e107d9d-20", ".pt", [10, 20]),
        ("2024-01-31_step1 2024-01-31_step2 2024-02-01_step3", ".pt", [1, 2, 3]),
        ("seed3_epoch1 seed3_epoch2", ".pt", [1, 2]),
        ("seed3_epoch5", ".pt", [5]),
        ("resnet18-lr0.1-epoch=3", ".pt", [3]),
        ("epoch_0_100 epoch_0_200 epoch_1_300", ".pt", [100, 200, 300]),
        ("step-50K-105b step-1M-2b", ".pt", [50_000, 1_000_000]),
        ("epoch1_of_20 epoch2_of_20", ".pt", [1, 2]),
    ],
)
def test_what_differs_within_a_run_makes_no_runs(tmp_path, names, suffix, steps):
    assert _runs(tmp_path, names, suffix) == {"": steps}


@pytest.mark.parametrize(
    "names",
    [
        "lr0.1_epoch3 lr0.01_epoch5",
        "mlp_7 cnn_12",
        "mlp_s0_ep10 mlp_s1_ep12",
        "3fa9c1b2_ep1 3fa9c1b2_ep2 9e107d9d_ep3 9e107d9d_ep4",
        "job123_epoch1 job124_epoch2",
        "pretrain_10 pretrain_20 finetune_30 finetune_40",
        "mlp_64_9 mlp_64_10 mlp_128_9 mlp_128_10",
        "ep1_s0 ep2_s0 ep1_s1 ep2_s1",
        "epoch_0_100 epoch_0_200 epoch_1_100 epoch_1_200",
        "größe lr 0.1 epoch 3|größe lr 0.2 epoch 5",
    ],
)
def test_names_that_may_be_of_one_run_or_of_several_are_refused_with_the_option_that_decides(tmp_path, names):
    names = names.split("|") if "|" in names else names.split()
    _touch(tmp_path, *(f"{name}.ckpt" for name in names))
    with pytest.raises(ValueError, match="The runs of the checkpoints cannot be told.*\n.*") as refused:
        _told(tmp_path)
    said = str(refused.value)
    assert len(said.splitlines()) < 8
    patterns = re.findall(r"step_pattern=('[^']+') for", said)
    assert patterns
    for given in patterns:
        assert len(_told(tmp_path, step_pattern=ast.literal_eval(given))) == len(names)
    if "for one run" in said:
        runs = [{run for run, _, _ in _told(tmp_path, step_pattern=ast.literal_eval(given))} for given in patterns]
        assert sorted(len(one) > 1 for one in runs) == [False, True]


@pytest.mark.parametrize("names", ["epoch1 seed1_epoch1", "ema_epoch1 ema_epoch2 epoch1 epoch2"])
def test_names_of_which_some_say_a_run_and_some_do_not_are_refused(tmp_path, names):
    with pytest.raises(ValueError, match="The names of some checkpoints say of which run they are.*Give a glob"):
        _runs(tmp_path, names)


@pytest.mark.parametrize(
    "names", ["optimizer_1 model_1", "rank0_step10 rank1_step10", "epoch=0-step=10 epoch=0-step=10-v1"]
)
def test_parts_and_versions_of_one_checkpoint_are_no_runs(tmp_path, names):
    with pytest.raises(ValueError, match="have the same step"):
        _runs(tmp_path, names)


def test_a_pattern_says_the_run_by_a_group_of_that_name(tmp_path):
    names = "lr0.1_epoch3 lr0.01_epoch5"
    assert _runs(tmp_path, names, step_pattern=r"epoch(\d+)") == {"": [3, 5]}
    told = {"lr0.1": [3], "lr0.01": [5]}
    assert _runs(tmp_path, names, step_pattern=r"(?P<run>lr[\d.]+)_epoch(\d+)") == told
    assert _runs(tmp_path, names, step_pattern=r"(?P<run>lr[\d.]+)_epoch(?P<step>\d+)") == told
    with pytest.raises(ValueError, match="must have one group"):
        _told(tmp_path, step_pattern=r"(?P<run>lr[\d.]+)_epoch")
    _touch(tmp_path / "deep", "a/x1/step_1/m.npz", "a/x2/step_1/m.npz")
    assert _runs(tmp_path / "deep", "", step_pattern=r"(?P<run>x\d)/step_(\d+)/") == {"x1": [1], "x2": [1]}


def test_seeds_are_runs_under_a_pattern_and_a_table_without_runs_too(tmp_path):
    names = "seed1_1_200 seed1_2_300 seed2_1_200"
    assert _runs(tmp_path, names, step_pattern=r"_(\d+)$") == {"seed1": [200, 300], "seed2": [200]}
    (tmp_path / "table.csv").write_text("file,step\nseed1_1_200.ckpt,1\nseed2_1_200.ckpt,1\n")
    assert _runs(tmp_path, names, table=tmp_path / "table.csv") == {"seed1": [1], "seed2": [1]}
    # A seed that a pattern takes for the step is no run.
    assert _runs(tmp_path / "b", "seed1 seed2", step_pattern=r"seed(\d+)") == {"": [1, 2]}


def test_runs_in_names_are_those_of_their_folder(tmp_path):
    _touch(tmp_path, *(f"{folder}/seed{seed}_{step}.pt" for folder in "ab" for seed in (1, 2) for step in (5, 6)))
    assert _runs(tmp_path, "") == {f"{folder}/seed{seed}": [5, 6] for folder in "ab" for seed in (1, 2)}


def test_a_plan_prints_the_runs_that_names_say():
    found = [Checkpoint(f"seed{run}", step, f"seed{run}_epoch{step}.pt") for run in (1, 2) for step in (1, 2)]
    assert [line.split() for line in runs_and_steps(found).splitlines()[2:]] == [
        ["seed1", "2", "1,", "2", "seed1_epoch1.pt"],
        ["seed2", "2", "1,", "2", "seed2_epoch1.pt"],
    ]
