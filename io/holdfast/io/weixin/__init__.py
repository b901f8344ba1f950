"""Weixin iLink over HTTP: commands become requests, answers become facts."""
