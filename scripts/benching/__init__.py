"""What the benchmarks share: two companies in two processes, facts of the machine, and how results are told."""
