/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_CMD_H
#define PVCTL_CMD_H

#include <libpvctl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- what every command gets ---- */
struct globals {
	int verbose;        /* -v, counted */
	bool dry_run;       /* -N */
	bool force;         /* -f */
	bool carriage;      /* -t: progress also where there is no terminal */
	bool timestamps;    /* -T */
	const char *node;   /* NULL: default */
	bool as_xl;         /* called by that name: scripts for xl know of no node that would have to be started */
};
extern struct globals globals;

/* ---- options: one table of a command drives parsing, help, completion and the check of the man page ---- */
struct option_def {
	char letter;          /* 0: none */
	const char *name;     /* without --; NULL: none */
	const char *arg;      /* name of the argument; NULL: takes none */
	const char *help;     /* NULL: taken for xl's sake, has no effect; "": for our own scripts, not shown */
};
#define OPTIONS_MAX 16

struct parsed;

struct command {
	const char *group;    /* NULL, or "node" for `pvctl node start' */
	const char *name;
	const char *args;     /* as shown; FILE, DOMAIN, NODE, COMMAND and KEY are completed */
	const char *summary;
	const char *example;  /* lines */
	const struct option_def *options; /* ends with an empty one; NULL: none */
	int args_min, args_max; /* args_max < 0: any number */
	bool can_dry_run;
	bool takes_rest;      /* what names no command of the group is the first argument of this one */
	int (*run)(const struct command *cmd, const struct parsed *in);
};

struct parsed {
	unsigned int count[OPTIONS_MAX];  /* by place in the table: how often given */
	const char *value[OPTIONS_MAX];   /* the last one */
	char **argv;
	int argc;
};

extern const struct command *const commands[]; /* ends with NULL */

/* 0, or an exit code + 1 when the command must not run (help was printed, or usage is wrong). */
int options_parse(const struct command *cmd, int argc, char **argv, struct parsed *ret);
void command_print_help(FILE *out, const struct command *cmd);
int command_usage(const struct command *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void command_full_name(const struct command *cmd, char *buf, size_t size);
const struct option_def *global_options(void);
const struct option_def *common_options(void);
/* Exact, else a unique prefix, else NULL. */
const struct command *command_find(const char *group, const char *word);
const char *command_group(const char *word); /* NULL: not the name of a group */
/* As command_find, where words may be arguments of one of the group's, which *ret_takes_word says then: in such a group names are written out. */
const struct command *command_in_group(const char *group, const char *word, bool *ret_takes_word);
void command_suggest(FILE *out, const char *group, const char *word);
/* Why a command of xl's is none of ours; NULL: it is none of xl's, or one of ours. */
const char *xl_refusal(const char *word);
void print_overview(FILE *out);
/* As main: argv[0] is the program. The exit code. */
int run_command_line(int argc, char **argv);

/* ---- the library ---- */
/* Prints to stderr why it failed; NULL then. */
struct pvctl *node_open(void);
/* For pvctl_open_opts.log. */
void node_log(void *data, int level, const char *msg);
/* Starts the default node when none runs and says so. */
struct pvctl *node_open_or_start(void);
/* Ends all domains at once. An exit code. */
int node_reboot(void);
/* Asks all domains of a node to power off, those that start last first; what does not in time is told of. An exit code. */
int node_shut_domains(const char *name, uint32_t timeout_ms);
int node_start_reported(const struct pvctl_node_start_opts *opts, struct pvctl_error *err);
/* 0 or an exit code; a message has been printed. */
int domain_resolve(struct pvctl *ctx, const char *arg, uint32_t *ret_domid);
/* Opens the node, finds the domain that the first argument names, calls with the second (or NULL), reports: an exit code. */
int on_domain(const struct command *cmd, const struct parsed *in,
	      int (*call)(struct pvctl *, uint32_t, const char *, struct pvctl_error *));
/*
 * What block-attach and network-attach are: gives the domain of the first argument a device. As xl has it, the parts
 * of its specification may come as words, which are joined by commas, or there may be none. Returns an exit code.
 */
int attach_device(const struct command *cmd, const struct parsed *in,
		  int (*attach)(struct pvctl *, uint32_t, const char *, struct pvctl_error *));
struct json;
/* Its dry run, as xl has it: "what: JSON" of a good specification, which "put" writes. An exit code. */
int attach_device_dry(const struct command *cmd, const struct parsed *in, const char *what,
		      int (*put)(struct json *, const char *, struct pvctl_error *));
/*
 * What block-list, network-list and channel-list are: for each argument, "one" prints the devices of that domain as
 * lines, or into the JSON listing "key" where j is not NULL. Returns an exit code; JSON is whole or not printed at all.
 */
int list_devices(const struct parsed *in, bool as_json, const char *key, void (*header)(void),
		 int (*one)(struct pvctl *ctx, const char *arg, struct json *j));
/* Until it has ended; an exit code. */
int domain_stay(struct pvctl *ctx, uint32_t domid);
/*
 * Does a domain of that name run? 0, or an exit code after a message: what cannot be asked is not taken for one that does
 * not, as its disks might be. No node: none runs.
 */
int domain_runs(const char *what, const char *name, bool *ret);
/* A lookup's error that says that there is none. */
bool is_no_domain(int rc);
/* For messages: the name, else the number as given. Static buffer. */
const char *domain_label(struct pvctl *ctx, uint32_t domid);
/* "pvctl: what subject: message" on stderr; returns EXIT_FAILED. */
int fail(const char *what, const char *subject, const struct pvctl_error *err);
/* No format was said, and the image begins as one of a format that is not raw does: 0, or an exit code after a message. */
int format_needed(const char *what, const char *path, const char *format);
void say_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* On stdout, as a config file has it; an exit code. */
int put_quoted(const char *text);
const char *reason_name(int32_t reason);
const char *state_name(uint32_t state);

/* ---- the list in columns of the user's choice ---- */
struct list_column;
#define LIST_COLUMNS_MAX 24
/* "name,state,mem": how many there are, or -1 where one is unknown, of which *ret_bad is the beginning. */
int list_columns_parse(const char *text, const struct list_column *ret[LIST_COLUMNS_MAX], const char **ret_bad);
/* The names of all, for a message. */
void list_columns_names(char *buf, size_t size);
void list_columns_print(const struct pvctl_domain_info *const *info, size_t n, const struct list_column *const *columns, int n_columns,
			bool csv);

/* xl's exit codes of create and restore, which are libxl's error numbers without the sign: of a negative errno. */
int create_exit_code(int rc);

/* ---- small things ---- */
int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret);
int parse_size(const char *text, uint64_t *ret_bytes); /* bare: MiB; b k m g t */
int parse_seconds(const char *text, uint32_t *ret_ms);
uint64_t now_ns(void); /* monotonic */
void uuid_text(const uint8_t uuid[16], char ret[37]);
/* A program of a test's, if the environment names one, is told that a step was made, and may end whatever it likes at that place. */
void test_hook(const char *variable, const char *step);
#define STEP_HOOK "PVCTL_STEP_HOOK" /* of the library's steps (pvctl_open_opts), and of a save's */
/* Guest's text for a terminal: no control characters but line feed and tab. */
void print_clean(FILE *out, const char *text);

#endif
