#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The examples in the binding's own texts, and those of its README."""
import doctest
import errno
import importlib
import os
import pkgutil

import pvctl

failed = tried = 0
names = {**vars(pvctl), "errno": errno}
for module in [pvctl] + [importlib.import_module("pvctl." + m.name) for m in pkgutil.iter_modules(pvctl.__path__) if m.name != "_pvctl"]:
    r = doctest.testmod(module, extraglobs=names)
    failed, tried = failed + r.failed, tried + r.attempted
r = doctest.testfile(os.path.abspath("bindings/python/README.md"), module_relative=False)
assert r.failed == failed == 0 and tried > 10, (failed, r.failed, tried)
