"""Benchmarks, and the plain Faust app that they compare with; see README.md."""
