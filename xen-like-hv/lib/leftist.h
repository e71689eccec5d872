/* SPDX-License-Identifier: MIT */
/*
 * A leftist heap, linked through what is in it: nothing allocates, nothing fails,
 * and the depth of each operation is logarithmic. All in the header, so that
 * "before" is no indirect call. Locking is the caller's.
 */
#ifndef LIB_LEFTIST_H
#define LIB_LEFTIST_H
#include "lib/types.h"

struct leftist {
	struct leftist *left, *right, *parent;
	uint32_t dist;
};
typedef bool leftist_before(const struct leftist *a, const struct leftist *b);

static inline unsigned int leftist_dist(const struct leftist *n)
{
	return n ? n->dist : 0;
}

static inline void leftist_order_children(struct leftist *n)
{
	if (leftist_dist(n->left) < leftist_dist(n->right)) {
		struct leftist *l = n->left;

		n->left = n->right;
		n->right = l;
	}
	n->dist = leftist_dist(n->right) + 1;
}

/* The right spines are logarithmic, so is the depth here. */
static inline struct leftist *leftist_merge(struct leftist *a, struct leftist *b, leftist_before *before)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (before(b, a)) {
		struct leftist *x = a;

		a = b;
		b = x;
	}
	a->right = leftist_merge(a->right, b, before);
	a->right->parent = a;
	leftist_order_children(a);
	return a;
}

static inline void leftist_insert(struct leftist **root, struct leftist *n, leftist_before *before)
{
	n->left = n->right = NULL;
	n->dist = 1;
	*root = leftist_merge(*root, n, before);
	(*root)->parent = NULL;
}

static inline void leftist_remove(struct leftist **root, struct leftist *n, leftist_before *before)
{
	struct leftist *m = leftist_merge(n->left, n->right, before), *p = n->parent;

	if (m)
		m->parent = p;
	if (!p)
		*root = m;
	else if (p->left == n)
		p->left = m;
	else
		p->right = m;
	for (; p; p = p->parent) {
		uint32_t was = p->dist;

		leftist_order_children(p);
		if (p->dist == was)
			break;
	}
	n->left = n->right = n->parent = NULL;
}

#endif
