/* SPDX-License-Identifier: MIT */
#include "util/json.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static void put(struct json_out *o, const void *p, size_t len)
{
	if (!o->rc)
		o->rc = buf_add(&o->b, p, len);
}

/* Where the last byte opens something the first member follows; a text never ends in one of these, but in its quote. */
static void separate(struct json_out *o)
{
	if (o->b.len && !memchr("{[:", o->b.data[o->b.len - 1], 3))
		put(o, ",", 1);
}

/* The bytes of the UTF-8 character at s, 0 where there is none. */
static size_t char_len(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void put_char(struct json_out *o, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef", from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
	const char *special = strchr(from, *s);
	unsigned char c = (unsigned char)*s;
	char esc[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (special) {
		esc[1] = to[special - from];
		put(o, esc, 2);
	} else if (c < ' ') {
		put(o, esc, sizeof(esc));
	} else {
		put(o, s, len);
	}
}

void json_out_str(struct json_out *o, const char *s)
{
	size_t len;

	separate(o);
	put(o, "\"", 1);
	for (; *s && !o->rc; s += len) {
		len = char_len(s);
		if (!len)
			o->rc = -EINVAL;
		else
			put_char(o, s, len);
	}
	put(o, "\"", 1);
}

void json_out_key(struct json_out *o, const char *key)
{
	json_out_str(o, key);
	put(o, ":", 1);
}

void json_out_int(struct json_out *o, long long v)
{
	separate(o);
	if (!o->rc)
		o->rc = buf_addf(&o->b, "%lld", v);
}

void json_out_open(struct json_out *o, char bracket)
{
	separate(o);
	put(o, &bracket, 1);
}

void json_out_close(struct json_out *o, char bracket)
{
	put(o, &bracket, 1);
}

int json_out_take(struct json_out *o, char **ret_text)
{
	int rc;

	put(o, "", 1);
	rc = o->rc;
	if (!rc)
		*ret_text = (char *)o->b.data;
	else
		buf_free(&o->b);
	memset(o, 0, sizeof(*o));
	return rc;
}
