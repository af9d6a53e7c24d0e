from __future__ import annotations

import ctypes
import sys

import pytest

from isotherm.kernel_clock import kernel_in_sync


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
def test_it_is_what_the_c_library_says_in_another_way() -> None:
    # ntp_gettime(3) returns the same state; 5 is TIME_ERROR.
    state = ctypes.CDLL(None).ntp_gettime(ctypes.create_string_buffer(512))
    assert kernel_in_sync() is (state != 5)
