"""Long prompts: CLIP's chunks become the one that CLIP itself would cut, encoders without chunks stay as they are."""

from owf.nodes.backend.model.conditions import _literal, _tokens

START, END, PAD, LENGTH = (1, 1.0), (2, 1.0), (2, 1.0), 7


class Clip:
    """Tokens as ComfyUI makes them: CLIP in chunks of five words, T5 in one of any length."""

    def tokenize(self, text):
        words = [(int(word), 1.0) for word in text.split()]
        parts = [words[i : i + 5] for i in range(0, len(words), 5)] or [[]]
        chunks = [[START, *part, END] for part in parts]
        return {"l": [chunk + [PAD] * (LENGTH - len(chunk)) for chunk in chunks], "t5xxl": [[*words, END]]}


def test_a_short_prompt_stays():
    assert _tokens(Clip(), "10 11") == Clip().tokenize("10 11")


def test_a_long_prompt_is_cut_for_clip_alone():
    text = " ".join(str(number) for number in range(10, 22))
    found = _tokens(Clip(), text)
    assert found["l"] == [[START, *((number, 1.0) for number in range(10, 15)), END]]
    assert found["t5xxl"] == Clip().tokenize(text)["t5xxl"]


def test_parentheses_are_no_weights():
    """ComfyUI takes one behind a backslash for itself; see tests/comfy/test_flows.py for what its tokenizers make."""
    assert _literal("a (red:1.3) dog") == "a \\(red:1.3\\) dog"
