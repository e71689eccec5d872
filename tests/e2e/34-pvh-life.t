#!/bin/bash
# SPDX-License-Identifier: MIT
# A stock Linux kernel as a PVH domain: from create to the end of its node.
. "$(dirname "$0")/lib.sh"
. tests/e2e/pvhlib.sh
as_pvh 10-life.t
