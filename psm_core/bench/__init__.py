"""Benchmarks that a reader can run. Ratios within one run; no absolute promises."""
