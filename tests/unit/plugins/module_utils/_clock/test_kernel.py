# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""adjtimex(2): asked with no mode set, and read as the kernel writes it."""

import ctypes

import pytest

from ansible_collections.aemops.brand_portal.plugins.module_utils._clock import kernel


class Library:
    """A C library whose adjtimex() fills the structure."""

    def __init__(self, state, status=0, maxerror=0, esterror=0):
        self.state, self.filled, self.modes = state, {'status': status, 'maxerror': maxerror, 'esterror': esterror}, None

    def adjtimex(self, pointer):
        timex = pointer._obj
        self.modes = timex.modes
        for name, value in self.filled.items():
            setattr(timex, name, value)
        return self.state


@pytest.mark.parametrize('state, status, synchronized', [
    (0, 0x2001, True), (0, 0x0041, False), (5, 0x2001, False), (5, 0x0040, False), (1, 0x2001, True)])
def test_the_word_of_the_kernel(state, status, synchronized):
    library = Library(state, status, 41500, 230)
    assert kernel.read(library) == (synchronized, 0.0415, 0.00023)
    assert library.modes == 0, 'it was asked to set something'


def test_no_word():
    assert kernel.read(Library(-1)) is None
    assert kernel.read(object()) is None


def test_the_structure_has_the_size_of_the_kernels():
    assert ctypes.sizeof(kernel._Timex) >= (208 if ctypes.sizeof(ctypes.c_long) == 8 else 128)


def test_this_machine_is_asked():
    said = kernel.read()
    assert said is None or said.maximum_error >= said.estimated_error >= 0 or said.estimated_error > 0
