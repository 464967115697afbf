"""What the audit nodes share: their inputs, the run, what is known and foretold, the gate, what is shown."""
