/* SPDX-License-Identifier: MIT */
#include "x86/printk.h"
#include "x86/conring.h"

#define LINE_BYTES 320

void vprintk(const char *prefix, const char *fmt, __builtin_va_list ap)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof(line), "%s", prefix);

	n += vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	conring_write(line, n);
}

void printk(const char *fmt, ...)
{
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	vprintk("(hv) ", fmt, ap);
	__builtin_va_end(ap);
}
