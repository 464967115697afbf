"""Names of the feature networks, for those who offer them. No torch."""

from ...families import shipped

FEATURES = ("inception", "clip", "dino")
"""Networks that an audit is offered; a base that ships brings one of its own."""

NAMES = (*FEATURES, *shipped())
"""All networks that `load_features` knows by name; one that ships has the name of its base's family."""
