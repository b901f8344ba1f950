"""Unpacking: bodies that came compressed though nobody asked for it."""

import zlib

GZIP_OR_ZLIB = 47  # zlib's name for: look which of the two it is.
ENCODINGS = ("gzip", "deflate")


def unpacked(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """Undo a compression; what is not one stays as it came.

    A bomb ends one byte beyond `bytes_max`: the caller refuses what is that long.
    """
    if encoding.lower() not in ENCODINGS:
        return body
    unfolding = zlib.decompressobj(wbits=GZIP_OR_ZLIB)
    try:
        plain = unfolding.decompress(body, bytes_max + 1)
    except zlib.error:
        return body
    return plain if unfolding.eof or len(plain) > bytes_max else body
