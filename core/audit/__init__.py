"""The measurement: evidence of base and tuned model, recorded sample by sample, summed up and reported."""
