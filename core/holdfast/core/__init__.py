"""The pure half of Holdfast: facts in, commands out, nothing else touched.

No clock, no randomness, no I/O. The reducers live in `weixin`, on the machines in
`session`, `connection`, `delivery` and `inbox`; the words they speak are in `events`
and `commands`, every number they use in `policy`.
"""
