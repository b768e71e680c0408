"""The wire formats that the simulated exchange speaks, one file an exchange."""
