"""Simulation: the real shell in virtual time, with everything around it going wrong."""
