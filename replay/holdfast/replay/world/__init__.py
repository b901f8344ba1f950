"""Simulated peers: pure models of the platforms, and servers that put them online."""
