"""Messages of core name options of the command line; on a node they name its inputs."""

import sys

import pytest
from owf.core.errors import InvalidError, UsageError
from owf.core.train.plan import TrainPlan
from owf.nodes.ui.wording import graph_words, in_graph


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Say what kind of thing it is with --class, such as --class dog.", "with class_word, such as class_word dog."),
        ("set --drift-every to half of --steps or less", "set drift_every to half of steps or less"),
        ("Use more images (--per-class), other images (--images DIR)", "(per_class), other images (probe_folder)"),
        ("--images /in/a: no such folder.", "probe_folder /in/a: no such folder."),
        ("lower --rate, or use --dtype float32.", "lower rate, or use ComfyUI's option --force-fp32."),
        ("use --dtype float16 or --device cpu.", "use ComfyUI's option --force-fp16 or ComfyUI's option --cpu."),
        ("Give --bank FILE with one prompt a line.", "Give a prompt bank with one prompt a line."),
        ("There is no folder 'x--class-a' nor my--style.safetensors.", "'x--class-a' nor my--style.safetensors."),
        ("a well-known 3--4 percent - or so -- stays", "a well-known 3--4 percent - or so -- stays"),
    ],
)
def test_options_become_inputs(said, meant):
    assert in_graph(said).endswith(meant)


def test_errors_keep_their_kind():
    with pytest.raises(UsageError, match=r"^drift_budget needs preserve dc\.$"), graph_words():
        TrainPlan(trigger="sks", drift_budget=0.01, preserve=())
    with pytest.raises(InvalidError, match="rate"), graph_words():
        raise InvalidError("lower --rate")
    with pytest.raises(ZeroDivisionError), graph_words():
        raise ZeroDivisionError


def test_what_is_to_be_installed_is_for_the_python_that_runs():
    said = "The feature network inception needs torch-fidelity: pip install torch-fidelity, or choose --features clip."
    assert in_graph(said).endswith(f'run "{sys.executable}" -m pip install torch-fidelity, or choose features clip.')
