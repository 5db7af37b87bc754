"""The parts of bench/compare: servers, clients, tests, targets, report."""
