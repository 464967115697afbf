"""Training with drift correction: data, methods, preservation terms and the loop that `owf-train` runs."""
