/* SPDX-License-Identifier: MIT */
/* Text out: formatting, and the PV console. */
#include "guest.h"
#include <xen/io/console.h>

void *memcpy(void *d, const void *s, size_t n)
{
	void *ret = d;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
	return ret;
}

void *memset(void *d, int c, size_t n)
{
	void *ret = d;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n && *x == *y; n--, x++, y++)
		;
	return n ? *x - *y : 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--, a++, b++)
		;
	return n ? (uint8_t)*a - (uint8_t)*b : 0;
}

struct out {
	char *buf;
	size_t size, n;
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->buf[o->n++] = c;
}

static void put_number(struct out *o, uint64_t v, unsigned int base, int width, char pad)
{
	char tmp[24];
	int n = 0;

	do
		tmp[n++] = "0123456789abcdef"[v % base];
	while ((v /= base) != 0);
	for (; width > n; width--)
		put(o, pad);
	while (n)
		put(o, tmp[--n]);
}

/* %d %u %x %s %c %p with l, #, 0 and a width. Returns what was written. */
int vsnprintf(char *buf, size_t size, const char *fmt, __builtin_va_list ap)
{
	struct out o = { buf, size, 0 };

	for (; *fmt; fmt++) {
		bool is_long = false, alt = false;
		int width = 0;
		char pad = ' ';
		int64_t v;

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		for (fmt++; *fmt == '#' || *fmt == 'l' || (*fmt >= '0' && *fmt <= '9'); fmt++) {
			if (*fmt == '#')
				alt = true;
			else if (*fmt == 'l')
				is_long = true;
			else if (*fmt == '0' && width == 0)
				pad = '0';
			else
				width = width * 10 + *fmt - '0';
		}
		switch (*fmt) {
		case 'd':
			v = is_long ? __builtin_va_arg(ap, long) : __builtin_va_arg(ap, int);
			if (v < 0)
				put(&o, '-');
			put_number(&o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, width, pad);
			break;
		case 'p':
			is_long = alt = true;
			/* fall through */
		case 'u':
		case 'x':
			v = is_long ? __builtin_va_arg(ap, unsigned long) : __builtin_va_arg(ap, unsigned int);
			if (alt) {
				put(&o, '0');
				put(&o, 'x');
			}
			put_number(&o, v, *fmt == 'u' ? 10 : 16, width, pad);
			break;
		case 's':
			for (const char *s = __builtin_va_arg(ap, const char *); *s; s++)
				put(&o, *s);
			break;
		case 'c':
			put(&o, __builtin_va_arg(ap, int));
			break;
		default:
			put(&o, *fmt);
		}
	}
	if (size)
		buf[o.n] = 0;
	return o.n;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	__builtin_va_list ap;
	int n;

	__builtin_va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	__builtin_va_end(ap);
	return n;
}

/* Waits for the backend where the ring is full, but not for ever: a test may run without one. */
void console_write(const char *s, size_t n)
{
	struct xencons_interface *ring = mfn_to_va(start_info->console.domU.mfn);
	struct evtchn_send send = { .port = start_info->console.domU.evtchn };
	unsigned int waits = 0;

	if (start_info->console.domU.mfn == 0)
		return;
	while (n) {
		uint32_t prod = ring->out_prod, cons = READ_ONCE(ring->out_cons);

		mb();
		if (prod - cons >= sizeof(ring->out)) {
			if (++waits > 100000)
				return;
			hc_event_channel_op(EVTCHNOP_send, &send);
			hc_sched_op(SCHEDOP_yield, NULL);
			continue;
		}
		ring->out[MASK_XENCONS_IDX(prod, ring->out)] = *s++;
		n--;
		mb();
		WRITE_ONCE(ring->out_prod, prod + 1);
	}
	hc_event_channel_op(EVTCHNOP_send, &send);
}

void printk(const char *fmt, ...)
{
	char line[300];
	__builtin_va_list ap;
	int n;

	__builtin_va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	__builtin_va_end(ap);
	console_write(line, n);
}
