"""The half that looks back: recordings, replay, simulated peers, the command line.

Replaying a recording imports core alone, so a verdict comes fast; only what simulates
or serves imports the shell.
"""
