# SPDX-License-Identifier: MIT
# All else is in pyproject.toml: what cffi and wheel want of setuptools cannot be said there.
from setuptools import setup

setup(cffi_modules=["build_ffi.py:ffi"], options={"bdist_wheel": {"py_limited_api": "cp310"}})
