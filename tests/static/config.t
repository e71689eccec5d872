#!/bin/sh
# SPDX-License-Identifier: MIT
# The configuration grammar against its golden files.
cd "$(dirname "$0")/../.." && exec tests/config/run.sh "${O:-build}/san/tests/cfgdump" "${O:-build}/san/tests/specdump"
