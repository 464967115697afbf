"""What is predicted is spelled in many ways, and all places read the same ones."""

import pytest
from owf.core.adapter import metadata
from owf.core.backends.scheduler import schedule_of
from owf.core.errors import UsageError
from owf.core.records import with_base
from owf.core.report import AdapterRecord

SPELLINGS = {
    "epsilon": ["epsilon", "eps", "Epsilon", " EPS "],
    "v_prediction": ["v", "V", "v_pred", "v-pred", "v_prediction", "v-prediction", "V Prediction", "vpred"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in SPELLINGS.items() for text in texts])
def test_every_place_reads_every_spelling(kind, text):
    from pathlib import Path

    from owf.core.backends.checkpoint import Header, prediction

    assert metadata.prediction_type({"modelspec.prediction_type": text}) == kind
    assert schedule_of({"prediction_type": text}).prediction_type == kind
    for key in ("modelspec.prediction_type", "modelspec.predict_key"):
        assert prediction(Header({}, {key: text}), Path("/x.safetensors"))["prediction_type"] == kind


def test_other_words_are_no_prediction():
    for text in ("sample", "", "vv", "e"):
        assert metadata.prediction_type({"modelspec.prediction_type": text}) is None
        with pytest.raises(UsageError):
            schedule_of({"prediction_type": text})


@pytest.mark.parametrize(("text", "kind"), [("True", "v_prediction"), ("1", "v_prediction"), ("False", None)])
def test_kohya_says_it_by_its_option(text, kind):
    assert metadata.prediction_type({"ss_v_parameterization": text}) == kind


def record(**details):
    return AdapterRecord("x", "0", "kohya", "lora", "sd15", 1.0, 1, 0, 0.1, details, ("first",))


def test_a_lora_for_a_base_that_predicts_otherwise_is_a_warning():
    stated = record(**{"prediction type": "v_prediction"})
    assert with_base(stated, "v_prediction") == stated
    assert with_base(record(), "epsilon") == record()
    first, second = with_base(stated, "epsilon").warnings
    assert first == "first"
    assert "predicts v_prediction, and this one predicts epsilon" in second
