/* SPDX-License-Identifier: MIT */
/* The longer values of a vif's specification: for vif_spec.c alone. */
#ifndef DEVICE_VIF_WORDS_H
#define DEVICE_VIF_WORDS_H

#include "device/vif_spec.h"

struct vif_parse {
	struct vif_spec *s;
	struct pvctl_error *err;
	const char *text;
	unsigned int got;
};

int vif_bad(struct vif_parse *p, int code, const char *what, const char *value);
/* Decimal digits at *at, which moves behind them. False: none, or more than max. */
bool vif_number(const char **at, uint64_t max, uint64_t *ret);
int vif_set_rate(struct vif_parse *p, const char *value);
int vif_set_hostfwd(struct vif_parse *p, const char *value);

#endif
