/* SPDX-License-Identifier: MIT */
/* The ivshmem-doorbell device: its MSI-X vectors are the host's doorbells to us. */
#ifndef DRIVERS_IVSHMEM_H
#define DRIVERS_IVSHMEM_H
#include "x86/irq.h"
/* Routes vector i to irq vectors[i] of the boot CPU: 0, -ENODEV, -EINVAL. */
int ivshmem_init(const int *vectors, unsigned int n);
void ivshmem_ring(unsigned int vector); /* to the host; nothing without a device */
#endif
