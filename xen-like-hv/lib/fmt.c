/* SPDX-License-Identifier: MIT */
/* The usual conversions: d i u x X o c s p %, flags 0 - # +, width, precision, hh h l ll z. */
#include "lib/string.h"

struct out {
	char *buf;
	size_t size, len; /* len counts what would have been written */
};

struct spec {
	bool left, zero, alt, plus, upper;
	int width, precision; /* precision -1: none */
	int length;           /* -2 hh, -1 h, 0, 1 and more: 64 bits */
};

/* In a struct, so that a pointer to it can be handed on. */
typedef struct {
	__builtin_va_list list;
} va_args;

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_string(struct out *o, const struct spec *s, const char *str)
{
	int n = 0;

	if (!str)
		str = "(null)";
	while ((s->precision < 0 || n < s->precision) && str[n])
		n++;
	if (!s->left)
		pad(o, ' ', s->width - n);
	for (int i = 0; i < n; i++)
		put(o, str[i]);
	if (s->left)
		pad(o, ' ', s->width - n);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned int base, bool negative)
{
	const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[24];
	int n = 0, prefix = 0, zeros;

	do {
		tmp[n++] = digits[v % base];
		v /= base;
	} while (v);
	if (negative || s->plus)
		prefix = 1;
	else if (s->alt && base == 16)
		prefix = 2;
	zeros = s->precision > n ? s->precision - n : 0;
	if (s->zero && !s->left && s->precision < 0 && s->width > n + prefix)
		zeros = s->width - n - prefix;
	if (!s->left)
		pad(o, ' ', s->width - n - prefix - zeros);
	if (prefix == 1)
		put(o, negative ? '-' : '+');
	else if (prefix == 2)
		put(o, '0'), put(o, s->upper ? 'X' : 'x');
	pad(o, '0', zeros);
	for (int i = n; i--;)
		put(o, tmp[i]);
	if (s->left)
		pad(o, ' ', s->width - n - prefix - zeros);
}

static const char *parse_int(const char *f, int *ret)
{
	int v = 0;

	for (; *f >= '0' && *f <= '9'; f++)
		if (v < 10000)
			v = v * 10 + (*f - '0');
	*ret = v;
	return f;
}

static const char *parse_flags(const char *f, struct spec *s)
{
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else if (*f == '#')
			s->alt = true;
		else if (*f == '+')
			s->plus = true;
		else if (*f != ' ')
			return f;
	}
}

static uint64_t cut(uint64_t v, int length, bool is_signed)
{
	switch (length) {
	case -2: return is_signed ? (uint64_t)(int8_t)v : (uint8_t)v;
	case -1: return is_signed ? (uint64_t)(int16_t)v : (uint16_t)v;
	case 0: return is_signed ? (uint64_t)(int32_t)v : (uint32_t)v;
	default: return v;
	}
}

static const char *parse_spec(const char *f, struct spec *s, va_args *ap)
{
	*s = (struct spec){ .precision = -1 };
	f = parse_flags(f, s);
	if (*f == '*') {
		s->width = __builtin_va_arg(ap->list, int);
		f++;
	} else {
		f = parse_int(f, &s->width);
	}
	if (*f == '.') {
		f++;
		if (*f == '*') {
			s->precision = __builtin_va_arg(ap->list, int);
			f++;
		} else {
			f = parse_int(f, &s->precision);
		}
	}
	for (; *f == 'l' || *f == 'h' || *f == 'z' || *f == 'j'; f++)
		s->length += *f == 'h' ? -1 : 1;
	return f;
}

static uint64_t number_arg(const struct spec *s, bool is_signed, va_args *ap)
{
	if (s->length > 0)
		return __builtin_va_arg(ap->list, uint64_t);
	return cut(__builtin_va_arg(ap->list, uint32_t), s->length, is_signed);
}

static void convert(struct out *o, struct spec *s, char c, va_args *ap)
{
	uint64_t v;

	switch (c) {
	case 'd':
	case 'i':
		v = number_arg(s, true, ap);
		put_number(o, s, (int64_t)v < 0 ? 0 - v : v, 10, (int64_t)v < 0);
		break;
	case 'x':
	case 'X':
	case 'u':
	case 'o':
		s->upper = c == 'X';
		put_number(o, s, number_arg(s, false, ap), c == 'u' ? 10 : c == 'o' ? 8 : 16, false);
		break;
	case 'p':
		s->precision = 16;
		put_number(o, s, (uint64_t)__builtin_va_arg(ap->list, void *), 16, false);
		break;
	case 'c':
		put(o, (char)__builtin_va_arg(ap->list, int));
		break;
	case 's':
		put_string(o, s, __builtin_va_arg(ap->list, const char *));
		break;
	default: /* %%, or an unknown conversion: show it */
		if (c != '%')
			put(o, '%');
		put(o, c);
		break;
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, __builtin_va_list args)
{
	struct out o = { buf, size, 0 };
	va_args ap;

	__builtin_va_copy(ap.list, args);
	for (const char *f = fmt; *f; f++) {
		struct spec s;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_spec(f + 1, &s, &ap);
		if (!*f)
			break;
		convert(&o, &s, *f, &ap);
	}
	__builtin_va_end(ap.list);
	if (size)
		buf[o.len < size ? o.len : size - 1] = '\0';
	return (int)o.len;
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
