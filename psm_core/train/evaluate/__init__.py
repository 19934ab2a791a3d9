"""The report card: what each operation is worth, beside its baselines."""
