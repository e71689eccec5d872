/* SPDX-License-Identifier: MIT */
/* Gives back what a program's start alone needed of its files. */
#ifndef JAIL_CLEAN_H
#define JAIL_CLEAN_H

/*
 * Pages of the program and its libraries that are as in their files go out of its address space: relocations, tables of symbols, code that
 * runs once. What is needed again comes back from the page cache, a few microseconds for 64 KiB. Any thread, at any time.
 */
void clean_unmap(void) __attribute__((visibility("hidden")));

#endif
