"""Benchmarks: `make bench`. Figures come with their median and spread, and a limit or peer beside them."""
