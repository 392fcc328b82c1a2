"""Item response and simulated learners: a room of the part on applications."""
