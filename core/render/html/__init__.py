"""Pages that open offline: one per report, one over all LoRAs of a call."""
