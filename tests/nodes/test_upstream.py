"""LoRAs that a graph puts between the base and what is audited: found by the nodes that load them."""

from owf.nodes.auditing.upstream import Loaded, base_of, loras_between


def loader(name, model, strength=1.0, **more):
    inputs = {"lora_name": name, "strength_model": strength, "model": [model, 0], "clip": [model, 1], **more}
    return {"class_type": "LoraLoader", "inputs": inputs}


def graph(**nodes):
    base = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.safetensors"}}
    audit = {"model": ["base", 0], "clip": ["base", 1], "tuned_model": ["last", 0], "tuned_clip": ["last", 1]}
    return {"base": base, "audit": {"class_type": "OWF_DriftAudit", "inputs": audit}, **nodes}


def test_a_stack_is_named_in_the_order_in_which_it_is_put_on():
    stack = graph(first=loader("styles/ink.safetensors", "base", 0.6), last=loader("sks_dog.safetensors", "first"))
    found = loras_between(stack, "audit")
    assert found == (Loaded("styles/ink.safetensors", 0.6), Loaded("sks_dog.safetensors", 1.0))
    assert [lora.title for lora in found] == ["ink at 0.6", "sks_dog"]


def test_what_the_base_has_already_is_no_part_of_the_change():
    stack = graph(first=loader("base_style.safetensors", "base"), last=loader("b.safetensors", "first"))
    stack["audit"]["inputs"] |= {"model": ["first", 0], "clip": ["first", 1]}
    assert [lora.name for lora in loras_between(stack, "audit")] == ["b.safetensors"]


def test_rows_of_other_packs_are_read_and_those_that_are_off_are_not():
    rows = {
        "model": ["base", 0],
        "lora_1": {"on": True, "lora": "a.safetensors", "strength": 0.5},
        "lora_2": {"on": False, "lora": "b.safetensors", "strength": 1},
        "lora_3": {"on": True, "lora": "None", "strength": 1},
        "header": {"type": "x"},
    }
    assert loras_between(graph(last={"inputs": rows}), "audit") == (Loaded("a.safetensors", 0.5),)
    ours = {"model": ["base", 0], "lora": "c.safetensors", "strength": 0.8}
    assert loras_between(graph(last={"inputs": ours}), "audit") == (Loaded("c.safetensors", 0.8),)


def test_graphs_that_name_none_or_go_round_in_circles_give_none():
    assert loras_between(None, "audit") == loras_between({}, "audit") == ()
    assert loras_between(graph(last={"inputs": {"model": ["base", 0], "shift": 3.0}}), "audit") == ()
    circle = graph(last={"inputs": {"model": ["other", 0]}}, other={"inputs": {"model": ["last", 0]}})
    assert loras_between(circle, "audit") == ()
    odd = graph(last=loader("a.safetensors", "nowhere", ["2", 0], bypass=False), other={})
    assert loras_between(odd, "audit") == (Loaded("a.safetensors", 1.0),)
    assert loras_between(graph(last=loader("a.safetensors", "base", bypass=True)), "audit") == ()


def test_names_of_files_cannot_write_into_a_title():
    (lora,) = loras_between(graph(last=loader("a\n<b>\x1b[31m.safetensors", "base")), "audit")
    assert lora.title == "a_b_31m"


def test_the_base_is_called_by_the_file_that_its_loader_names():
    assert base_of(graph(), "audit") == "x.safetensors"
    odd = {"inputs": {"unet_name": "z\\turbo\n.safetensors", "weight_dtype": "default"}}
    through = {"inputs": {"model": ["base", 0], "lora_name": "b.safetensors", "shift": 3.0}}
    deeper = graph(between=through, base=odd)
    deeper["audit"]["inputs"]["model"] = ["between", 0]
    assert base_of(deeper, "audit") == "turbo .safetensors"


def test_a_base_of_several_files_or_none_has_no_name():
    merged = {"inputs": {"model1": ["base", 0], "model2": ["other", 0]}}
    of_two = graph(merge=merged, other={"inputs": {"ckpt_name": "y.safetensors"}})
    of_two["audit"]["inputs"]["model"] = ["merge", 0]
    assert base_of(of_two, "audit") == ""
    assert base_of(graph(base={"inputs": {}}), "audit") == base_of(None, "audit") == base_of({}, "audit") == ""
    circle = graph(base={"inputs": {"model": ["base", 0]}})
    assert base_of(circle, "audit") == ""
