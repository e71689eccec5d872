/* SPDX-License-Identifier: MIT */
/*
 * The titles are a guest's: the library lets no control characters through, and
 * long ones are cut here.
 */
#include "pvctl/bootmenu.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/term.h"

#define LEAST_WAIT_S 5 /* who asked for a menu wants to see it, whatever the disk says */
#define TICK_MS 250

enum key { KEY_NONE, KEY_UP, KEY_DOWN, KEY_TAKE, KEY_LEAVE, KEY_DIGIT, KEY_OTHER };

struct menu {
	const struct pvctl_boot *boot;
	size_t n, at, top, rows, columns;
	size_t drawn;        /* lines on the screen */
	uint64_t until_ns;   /* 0: for ever */
	size_t typed;        /* the number so far */
	bool typing;
};

static void window_size(struct menu *m)
{
	struct winsize w;
	size_t lines = 24;

	m->columns = 80;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_row > 8 && w.ws_col > 20) {
		lines = w.ws_row;
		m->columns = w.ws_col;
	}
	m->rows = m->n < lines - 5 ? m->n : lines - 5;
}

/* At most so many characters; a byte 10xxxxxx goes on with one. */
static int cut(const char *text, size_t characters)
{
	size_t i, n = 0;

	for (i = 0; text[i]; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80 && n++ == characters)
			break;
	return (int)i;
}

static void draw(struct menu *m)
{
	size_t i;

	if (m->at < m->top)
		m->top = m->at;
	if (m->at >= m->top + m->rows)
		m->top = m->at - m->rows + 1;
	if (m->drawn)
		printf("\x1b[%zuA", m->drawn);
	for (i = m->top; i < m->top + m->rows; i++) {
		const char *title = pvctl_boot_entry_at(m->boot, i)->title;

		printf("\r\x1b[K%s%c%3zu  %.*s%s\r\n", i == m->at ? "\x1b[7m" : "", i == m->at ? '>' : ' ', i,
		       cut(title, m->columns - 8), title, i == m->at ? "\x1b[0m" : "");
	}
	printf("\r\x1b[K\r\n\r\x1b[KUp and Down or a number choose, Enter boots, q leaves.\r\n\r\x1b[K");
	if (m->until_ns)
		printf("The marked entry boots in %u s; any key stops the clock.",
		       (unsigned int)((m->until_ns - now_ns() + 999999999) / 1000000000));
	printf("\r\n");
	m->drawn = m->rows + 3;
	fflush(stdout);
}

/* Arrow keys come as ESC [ A or ESC O A; what follows an ESC comes at once, or it was the key. */
static enum key escape_key(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char c[2];

	if (poll(&p, 1, 50) <= 0 || read(STDIN_FILENO, &c[0], 1) != 1)
		return KEY_LEAVE;
	if ((c[0] != '[' && c[0] != 'O') || poll(&p, 1, 50) <= 0 || read(STDIN_FILENO, &c[1], 1) != 1)
		return KEY_OTHER;
	return c[1] == 'A' ? KEY_UP : c[1] == 'B' ? KEY_DOWN : KEY_OTHER;
}

/* KEY_NONE: none came in a while. */
static enum key read_key(char *c)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	int n = poll(&p, 1, TICK_MS);

	if (n == 0 || (n < 0 && errno == EINTR))
		return interrupted() ? KEY_LEAVE : KEY_NONE;
	if (n < 0 || read(STDIN_FILENO, c, 1) != 1)
		return KEY_LEAVE;
	switch (*c) {
	case '\x1b': return escape_key();
	case 'q': case '\x03': case '\x04': return KEY_LEAVE;
	case '\r': case '\n': return KEY_TAKE;
	case 'k': case '\x10': return KEY_UP;
	case 'j': case '\x0e': return KEY_DOWN;
	default: return *c >= '0' && *c <= '9' ? KEY_DIGIT : KEY_OTHER;
	}
}

/* "1" and then "2" is 12 where there is a 12, else 2. */
static void type_digit(struct menu *m, size_t digit)
{
	size_t number = m->typing ? m->typed * 10 + digit : digit;

	if (number >= m->n)
		number = digit;
	m->typing = true;
	m->typed = number;
	if (number < m->n)
		m->at = number;
}

/* True: the marked entry; false: left. */
static bool choose(struct menu *m)
{
	enum key key;
	char c = 0;

	for (;;) {
		draw(m);
		key = read_key(&c);
		if (key == KEY_NONE && m->until_ns && now_ns() >= m->until_ns)
			return true;
		if (key == KEY_NONE)
			continue;
		m->until_ns = 0;
		if (key == KEY_TAKE || key == KEY_LEAVE)
			return key == KEY_TAKE;
		if (key == KEY_DIGIT)
			type_digit(m, (size_t)(c - '0'));
		else
			m->typing = false;
		if (key == KEY_UP && m->at > 0)
			m->at--;
		if (key == KEY_DOWN && m->at + 1 < m->n)
			m->at++;
	}
}

static int show(const struct pvctl_boot *boot, const struct pvctl_boot_info *info, char *entry, size_t size)
{
	struct menu m = { .boot = boot, .n = pvctl_boot_entry_count(boot), .at = info->default_entry };
	bool taken;

	window_size(&m);
	if (info->wait_s >= 0)
		m.until_ns = now_ns() + UINT64_C(1000000000) * (uint64_t)(info->wait_s > LEAST_WAIT_S ? info->wait_s : LEAST_WAIT_S);
	interrupts_catch();
	if (term_raw_enter(STDIN_FILENO)) {
		say_error("create: the terminal cannot be used for the boot menu");
		return EXIT_FAILED;
	}
	taken = choose(&m);
	term_raw_leave();
	if (!taken) {
		say_error("create: left at the boot menu; nothing was created");
		return EXIT_FAILED;
	}
	snprintf(entry, size, "%zu", m.at);
	note("Booting entry %zu, %s", m.at, pvctl_boot_entry_at(boot, m.at)->title);
	return EXIT_OK;
}

static bool args_ask(const struct pvctl_config *config)
{
	const char *item;
	bool ask = false;

	for (size_t i = 0; (item = pvctl_config_get_item(config, "bootloader_args", i)); i++) {
		if (!strcmp(item, "-i") || !strcmp(item, "--interactive"))
			ask = true;
		if (!strcmp(item, "-q") || !strcmp(item, "--quiet"))
			ask = false;
	}
	return ask;
}

int bootmenu_ask(const struct pvctl_config *config, bool always, char *entry, size_t size)
{
	const struct pvctl_boot_opts opts = { .size = sizeof(opts), .list_only = 1 };
	const char *boot = pvctl_config_get_str(config, "bootloader");
	struct pvctl_error err = { 0 };
	struct pvctl_boot_info info = { .size = sizeof(info) };
	struct pvctl_boot *b;
	int rc = EXIT_OK;

	entry[0] = '\0';
	if (!always && (!args_ask(config) || !boot || !boot[0]))
		return EXIT_OK;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		note("No terminal, so no boot menu: the default entry boots");
		return EXIT_OK;
	}
	if (pvctl_boot_open_config(config, &opts, &b, &err))
		return fail("create", pvctl_config_get_str(config, "name"), &err);
	if (pvctl_boot_get(b, &info, &err))
		rc = fail("create", pvctl_config_get_str(config, "name"), &err);
	else if (pvctl_boot_entry_count(b) > 0 && info.config[0])
		rc = show(b, &info, entry, size);
	pvctl_boot_free(b);
	return rc;
}
