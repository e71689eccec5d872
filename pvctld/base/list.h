/* SPDX-License-Identifier: MIT */
/* Circular intrusive lists; an entry that is on no list points to itself. */
#ifndef PVCTLD_LIST_H
#define PVCTLD_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define list_entry(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))
#define list_for(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
/* The current entry may leave the list and be freed; no other may. */
#define list_for_safe(pos, head) \
	for (struct list *pos = (head)->next, *pos##_next = pos->next; pos != (head); \
	     pos = pos##_next, pos##_next = pos->next)

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void list_del(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

#endif
