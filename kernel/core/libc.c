/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the libraries that we link (Makefile, LIBRARIES) name of the C library beyond kernel/lib/string.c.  Only functions that we do not call
 * use it: there is no heap behind it.
 */
#include "kernel/core/panic.h"
#include <stdlib.h>
#include <string.h>

char *strerror(int number)
{
	panic("a library asks for the text of error %d", number);
}
