"""Explore: walk every state that a reducer and its environment can come to."""
