/* SPDX-License-Identifier: MIT */
/*
 * What the helper says to the library, over a SOCK_SEQPACKET socket: messages of
 * a header and text. The helper has read a hostile disk, so nothing it says is
 * believed: the library checks numbers and text and counts messages. The kernel
 * and the ramdisk are written to two memory files that the library made; they
 * are used after the helper's end, sealed.
 */
#ifndef BOOTLOADER_PROTO_H
#define BOOTLOADER_PROTO_H

#include <stdint.h>

enum { HELPER_SOCKET_FD = 3, HELPER_DISK_FD = 4, HELPER_KERNEL_FD = 5, HELPER_RAMDISK_FD = 6 };
enum helper_msg_type {
	HELPER_ERROR = 1,  /* value: errno; text */
	HELPER_SOURCE,     /* text: where the menu was found */
	HELPER_ENTRY,      /* value: flat index; the next five are about it */
	HELPER_TITLE, HELPER_ID, HELPER_KERNEL, HELPER_INITRD, HELPER_CMDLINE,
	HELPER_DEFAULT,    /* value: flat index */
	HELPER_CHOSEN,     /* value: flat index; its files have been written */
	HELPER_WAIT,       /* value: seconds that the menu waits */
	HELPER_DONE
};
struct helper_msg { uint32_t type, value; };

#define HELPER_MAX_TEXT 4096u
#define HELPER_MAX_MESSAGES 8192u
#define HELPER_MAX_FILE (256u << 20)   /* kernel or ramdisk */
#define HELPER_MEMORY (256ull << 20)
#define HELPER_CPU_SECONDS 20u
#define HELPER_TIMEOUT_MS 30000u

#endif
