"""What it means: limits, verdicts and reports. No torch."""
