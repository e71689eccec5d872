/* SPDX-License-Identifier: MIT */
#include "xenbus.h"

#define WAITS 20000u /* naps */

static struct grant_entry_v1 grants[2048] page_aligned;
static uint32_t next_ref = GNTTAB_NR_RESERVED_ENTRIES;

static uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static uint64_t system_time(void)
{
	struct vcpu_time_info *t = &my_vcpu_info()->time;
	uint64_t delta, base;
	uint32_t version;

	do {
		version = READ_ONCE(t->version) & ~1u;
		barrier();
		delta = tsc() - t->tsc_timestamp;
		delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
		base = t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
		barrier();
	} while (version != READ_ONCE(t->version));
	return base;
}

void nap(void)
{
	struct sched_poll p = { .nr_ports = 0, .timeout = system_time() + 1000000 };

	hc_sched_op(SCHEDOP_poll, &p);
}

void evtchn_wait(uint32_t port)
{
	evtchn_port_t ports[1] = { port };
	struct sched_poll p = { .nr_ports = 1, .timeout = system_time() + 1000000 };

	set_xen_guest_handle(p.ports, ports);
	hc_sched_op(SCHEDOP_poll, &p);
}

static struct xenstore_domain_interface *store(void)
{
	return mfn_to_va(start_info->store_mfn);
}

static bool put_bytes(const void *data, uint32_t len)
{
	struct xenstore_domain_interface *s = store();
	const char *p = data;

	for (unsigned int waits = 0; len;) {
		uint32_t prod = s->req_prod;

		if (prod - READ_ONCE(s->req_cons) >= XENSTORE_RING_SIZE) {
			if (++waits > WAITS)
				return false;
			/* Looked at again after the bit is clear, so that no event is slept through. */
			if (!evtchn_take(start_info->store_evtchn))
				evtchn_wait(start_info->store_evtchn);
			continue;
		}
		s->req[MASK_XENSTORE_IDX(prod)] = *p++;
		len--;
		mb();
		WRITE_ONCE(s->req_prod, prod + 1);
		if (!(len & 255))
			evtchn_notify(start_info->store_evtchn);
	}
	return true;
}

static bool get_bytes(void *data, uint32_t len)
{
	struct xenstore_domain_interface *s = store();
	char *p = data;

	for (unsigned int waits = 0; len;) {
		uint32_t cons = s->rsp_cons;

		if (cons == READ_ONCE(s->rsp_prod)) {
			if (++waits > WAITS)
				return false;
			/* Looked at again after the bit is clear, so that no event is slept through. */
			if (!evtchn_take(start_info->store_evtchn))
				evtchn_wait(start_info->store_evtchn);
			continue;
		}
		mb();
		if (p)
			*p++ = s->rsp[MASK_XENSTORE_IDX(cons)];
		len--;
		mb();
		WRITE_ONCE(s->rsp_cons, cons + 1);
		/* Whoever waits for room. */
		if (!(len & 255))
			evtchn_notify(start_info->store_evtchn);
	}
	return true;
}

static int error_number(const char *name)
{
	static const struct { const char *name; int value; } names[] = {
		{ "EINVAL", EINVAL }, { "EACCES", EACCES }, { "EEXIST", EEXIST }, { "ENOENT", ENOENT },
		{ "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "EAGAIN", EAGAIN }, { "E2BIG", E2BIG }, { "EPERM", EPERM },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(name, names[i].name, strlen(names[i].name) + 1))
			return -names[i].value;
	return -EIO;
}

int xs_request(uint32_t type, uint32_t tx, const void *body, uint32_t len, char *reply, uint32_t size)
{
	static uint32_t id;
	struct xsd_sockmsg h = { .type = type, .req_id = ++id, .tx_id = tx, .len = len };
	char text[XENSTORE_PAYLOAD_MAX + 1];

	if (!put_bytes(&h, sizeof(h)) || !put_bytes(body, len))
		return -EIO;
	evtchn_notify(start_info->store_evtchn);
	do {
		if (!get_bytes(&h, sizeof(h)) || h.len > XENSTORE_PAYLOAD_MAX || !get_bytes(text, h.len))
			return -EIO;
		text[h.len] = 0;
	} while (h.type == XS_WATCH_EVENT);
	if (h.req_id != id)
		return -EIO;
	if (h.type == XS_ERROR)
		return error_number(text);
	if (reply && size) {
		uint32_t n = h.len < size - 1 ? h.len : size - 1;

		memcpy(reply, text, n);
		reply[n] = 0;
	}
	return 0;
}

int xs_read(const char *path, char *value, uint32_t size)
{
	return xs_request(XS_READ, 0, path, (uint32_t)strlen(path) + 1, value, size);
}

int xs_rm(const char *path)
{
	return xs_request(XS_RM, 0, path, (uint32_t)strlen(path) + 1, NULL, 0);
}

int xs_write(const char *path, const char *value)
{
	char body[600];
	size_t p = strlen(path) + 1, v = strlen(value);

	if (p + v > sizeof(body))
		return -E2BIG;
	memcpy(body, path, p);
	memcpy(body + p, value, v);
	return xs_request(XS_WRITE, 0, body, (uint32_t)(p + v), NULL, 0);
}

int xs_printf(const char *dir, const char *node, const char *fmt, ...)
{
	char path[200], value[200];
	__builtin_va_list ap;

	snprintf(path, sizeof(path), "%s/%s", dir, node);
	__builtin_va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	__builtin_va_end(ap);
	return xs_write(path, value);
}

unsigned long xs_read_number(const char *path)
{
	unsigned long n = 0;
	char text[24];

	if (xs_read(path, text, sizeof(text)) || !text[0])
		return ~0ul;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return ~0ul;
		n = n * 10 + (unsigned long)(*p - '0');
	}
	return n;
}

void xenbus_setup(void)
{
	xen_pfn_t frames[sizeof(grants) / PAGE_SIZE];
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = ARRAY_SIZE(frames) };

	set_xen_guest_handle(s.frame_list, frames);
	if (hc_grant_table_op(GNTTABOP_setup_table, &s, 1) || s.status != GNTST_okay) {
		test_error("the grant table cannot be set up: %d", s.status);
		test_end();
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(frames); i++)
		if (map_page((uint8_t *)grants + i * PAGE_SIZE, frames[i] << PAGE_SHIFT | PTE_RW)) {
			test_error("the grant table cannot be mapped");
			test_end();
		}
}

struct grant_entry_v1 *grant_entry(uint32_t ref)
{
	return &grants[ref];
}

uint32_t grant_page(const void *page, bool readonly)
{
	uint32_t ref = next_ref++;

	if (ref >= ARRAY_SIZE(grants)) {
		test_error("no grant references are left");
		test_end();
	}
	grants[ref].frame = (uint32_t)va_to_mfn(page);
	grants[ref].domid = 0;
	mb();
	WRITE_ONCE(grants[ref].flags, (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0)));
	return ref;
}

bool grant_end(uint32_t ref)
{
	uint16_t flags = READ_ONCE(grants[ref].flags);

	while (!(flags & (GTF_reading | GTF_writing)))
		if (__atomic_compare_exchange_n(&grants[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

uint32_t evtchn_alloc(void)
{
	struct evtchn_alloc_unbound au = { .dom = DOMID_SELF, .remote_dom = 0 };

	EXPECT(hc_event_channel_op(EVTCHNOP_alloc_unbound, &au), 0);
	return au.port;
}

void evtchn_notify(uint32_t port)
{
	struct evtchn_send s = { .port = port };

	hc_event_channel_op(EVTCHNOP_send, &s);
}

bool evtchn_take(uint32_t port)
{
	uint64_t bit = 1ul << port % 64;

	return __atomic_fetch_and(&shared.info.evtchn_pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit;
}

enum xenbus_state backend_state(const char *dev)
{
	char path[200], back[160];
	unsigned long n;

	snprintf(path, sizeof(path), "%s/backend", dev);
	if (xs_read(path, back, sizeof(back)))
		return XenbusStateUnknown;
	snprintf(path, sizeof(path), "%s/state", back);
	n = xs_read_number(path);
	return n == ~0ul ? XenbusStateUnknown : (enum xenbus_state)n;
}

bool backend_wait(const char *dev, enum xenbus_state one, enum xenbus_state other)
{
	for (unsigned int i = 0; i < WAITS; i++) {
		enum xenbus_state s = backend_state(dev);

		if (s == one || s == other)
			return true;
		nap();
	}
	return false;
}

int frontend_state(const char *dev, enum xenbus_state state)
{
	return xs_printf(dev, "state", "%d", (int)state);
}
