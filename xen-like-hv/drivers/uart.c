/* SPDX-License-Identifier: MIT */
#include "drivers/uart.h"
#include "x86/processor.h"
#include "x86/spinlock.h"

#define UART_BASE 0x3f8
#define UART_DATA (UART_BASE + 0)
#define UART_IER (UART_BASE + 1)
#define UART_FCR (UART_BASE + 2)
#define UART_LCR (UART_BASE + 3)
#define UART_MCR (UART_BASE + 4)
#define UART_LSR (UART_BASE + 5)
#define UART_SCRATCH (UART_BASE + 7)
#define LSR_TX_EMPTY 0x20
#define FIFO_BYTES 16

bool uart_init(void)
{
	outb(UART_SCRATCH, 0x5a);
	if (inb(UART_SCRATCH) != 0x5a)
		return false;
	outb(UART_IER, 0);
	outb(UART_LCR, 0x80);
	outb(UART_DATA, 1); /* 115200 */
	outb(UART_IER, 0);
	outb(UART_LCR, 3);  /* 8n1 */
	outb(UART_FCR, 7);
	outb(UART_MCR, 3);
	return true;
}

/* Empty means the whole FIFO is: look once for so many bytes. A dead port must not hang the boot. */
static void wait_room(void)
{
	for (unsigned int i = 0; i < 100000 && !(inb(UART_LSR) & LSR_TX_EMPTY); i++)
		cpu_relax();
}

void uart_write(const char *s, size_t n)
{
	unsigned int room = 0;

	while (n--) {
		if (room < 2) {
			wait_room();
			room = FIFO_BYTES;
		}
		if (*s == '\n') {
			outb(UART_DATA, '\r');
			room--;
		}
		outb(UART_DATA, (uint8_t)*s++);
		room--;
	}
}
