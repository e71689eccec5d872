/* SPDX-License-Identifier: MIT */
/* The first serial port, output only: the log while booting, and a panic. */
#ifndef DRIVERS_UART_H
#define DRIVERS_UART_H
#include "lib/types.h"
bool uart_init(void); /* false: none there */
void uart_write(const char *s, size_t n);
#endif
