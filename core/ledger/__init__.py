"""What was audited, one row a LoRA and strength: kept in one file, merged, judged anew, shown."""
