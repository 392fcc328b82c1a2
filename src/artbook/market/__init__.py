"""Recommendation and the demand of audiences: the rooms of the part on applications."""
