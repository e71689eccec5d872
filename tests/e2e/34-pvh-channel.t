#!/bin/bash
# SPDX-License-Identifier: MIT
# A stock Linux kernel as a PVH domain: its channels.
. "$(dirname "$0")/lib.sh"
. tests/e2e/pvhlib.sh
as_pvh 46-channel.t
