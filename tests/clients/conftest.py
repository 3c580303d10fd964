"""What tests of clients share."""

from browsing import browser  # noqa: F401 - a fixture
