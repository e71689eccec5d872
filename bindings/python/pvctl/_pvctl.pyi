# SPDX-License-Identifier: MIT
# What cffi makes has no types of its own: this package gives them.
from typing import Any

ffi: Any
lib: Any
