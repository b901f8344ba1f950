"""Life: whether the service is open, and news of what happens while it is."""

import trio

from holdfast.io.owner import StoppedError


class Life:
    """One opening of a service, as those see it who wait for something of it."""

    def __init__(self) -> None:
        self._news = trio.Event()
        self._closed = False

    def check(self, then: str = "") -> None:
        """Raise `StoppedError` once the service is closed; `then` says what helps."""
        if self._closed:
            raise StoppedError(f"the service is closed: open it again{then}")

    def next_news(self, then: str = "") -> trio.Event:
        """Return what is set when anything happens next; raises like `check`."""
        self.check(then)
        return self._news

    def tell(self) -> None:
        """Wake everybody: something happened."""
        self._news.set()
        self._news = trio.Event()

    def close(self) -> None:
        """Wake everybody for the last time: nothing more happens."""
        self._closed = True
        self._news.set()
