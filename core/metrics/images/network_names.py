"""Names of the feature networks, for those who offer them. No torch."""

FEATURES = ("inception", "clip", "dino")
"""Networks that an audit is offered; the demo base brings one of its own."""

NAMES = (*FEATURES, "demo")
"""All networks that `load_features` knows by name."""
