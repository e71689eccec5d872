/* SPDX-License-Identifier: MIT */
/*
 * JSON on standard output. Each document of our own is a map that begins with "schema": 1.
 * Where there is no memory the program says so and ends.
 */
#ifndef PVCTL_JSON_H
#define PVCTL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_SCHEMA 1

struct json;

struct json *json_open(bool beautiful); /* NULL: out of memory, said on stderr */
/* A document of our own: its map is open, with "schema" in it. NULL: as json_open. */
struct json *json_document(void);
void json_free(struct json *j); /* without writing; NULL is fine */
/* Writes everything with a line feed behind; an exit code. */
int json_close(struct json *j);
int json_close_to(struct json *j, FILE *out);
/* Like json_close, but the document goes on: for one value in a line after another. */
int json_flush_line(struct json *j);

/* key is NULL inside an array. */
void json_map(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end_map(struct json *j);
void json_end_array(struct json *j);
void json_str(struct json *j, const char *key, const char *value); /* NULL: null */
void json_bytes(struct json *j, const char *key, const char *value, size_t len); /* what is not UTF-8 is `?' */
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i32(struct json *j, const char *key, int32_t value); /* negative: null, since there is none */
void json_bool(struct json *j, const char *key, bool value);
/* Another JSON text as a value; null when it is none. */
void json_embed(struct json *j, const char *key, const char *text);
/* The members of another JSON text, a map's, into the map that is open. */
void json_members(struct json *j, const char *text);
/* A map with "schema" in it, and an array in that. */
void json_listing(struct json *j, const char *name);
void json_end_listing(struct json *j);

#endif
