/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the libraries that we link (Makefile, LIBRARIES) name of the C library beyond kernel/lib/string.c.  Only functions that we do not call
 * use it: there is no heap behind it.
 */
#include "kernel/core/panic.h"
#include <stdlib.h>

void *calloc(size_t count, size_t bytes)
{
	panic("a library asks for %llu bytes of a heap", (u64)count * bytes);
}

void free(void *pointer)
{
	panic("a library gives %p back to a heap", pointer);
}
