"""Content for games: terrain from coarse to fine, levels and their proofs, and meshes of both."""
