"""Small bots with the bugs that Holdfast was founded on; exploration must catch each.

Each is the honest client of its platform but for one bug, and no promise is broken by
the honest one: what is found is due to the bug, and not to the client.
"""
