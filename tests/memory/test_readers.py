"""Read-only connections beside the one that writes."""

import pytest

from assistant.errors import Damaged, KeyWrong
from assistant.memory.readers import Readers


def test_a_file_that_opened_once_is_damaged_and_its_key_not_wrong():
    def connect():
        raise KeyWrong()

    readers = Readers(connect)
    with pytest.raises(Damaged):
        readers.read(lambda db: db)
    readers.close()
