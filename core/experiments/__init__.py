"""The paper's experiments and its open questions, one file each."""
