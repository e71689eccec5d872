#!/bin/bash
# SPDX-License-Identifier: MIT
# The test guests on the delay build, where races are wide. The seeds differ from run to run: a failure says how to repeat it.
. "$(dirname "$0")/lib.sh"
SEEDS=${SEEDS:-1 2 $((EPOCHSECONDS % 1000000))}
for seed in $SEEDS; do
	t "the guests with delays of seed $seed" tests/soak/round "$seed"
done
done_testing
