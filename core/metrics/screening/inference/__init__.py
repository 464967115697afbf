"""What few rows of many concepts say: means, regression, discoveries, sequences. Statistics alone."""
