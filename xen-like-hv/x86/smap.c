/* SPDX-License-Identifier: MIT */
#include "x86/smap.h"
#include "x86/page.h"
#include "x86/processor.h"

struct smap_site { uint64_t at, last; };
extern const struct smap_site __start___smap_sites[], __stop___smap_sites[];

void smap_init(void)
{
	const struct smap_site *s;

	if (!cpu_features.smap)
		return;
	/* Text is not writable where it runs. Both begin with 0f 01; none of it has run yet. */
	for (s = __start___smap_sites; s < __stop___smap_sites; s++) {
		uint8_t *p = paddr_to_virt(sym_to_paddr((const void *)s->at));

		p[1] = 0x01;
		p[2] = (uint8_t)s->last;
	}
}
