/* SPDX-License-Identifier: MIT */
#ifndef PVCTLD_LIFE_ADOPT_H
#define PVCTLD_LIFE_ADOPT_H

struct daemon;

/* All domains that another daemon had, with their devices. */
void doms_adopt(struct daemon *d);

#endif
