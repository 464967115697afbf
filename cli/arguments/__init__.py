"""The words of the command line: which there are, what they mean, and what they are checked for."""
