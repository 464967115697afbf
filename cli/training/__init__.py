"""Training from the command line: options, one run, what it says."""
