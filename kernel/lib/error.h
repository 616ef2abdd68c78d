/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The errors a function can return; every one is must-check.  Three reactions exist: the guest did wrong (inject, or end
 * that VM), a resource is short (the status goes up), our own invariant broke (CHECK, which panics).
 */
#pragma once
#include "kernel/lib/types.h"

typedef enum MUST_CHECK {
	OK = 0,
	E_INVALID,     /* an argument or a format is wrong */
	E_RANGE,       /* outside of what there is */
	E_NO_MEMORY,   /* no frame, or a table is full */
	E_NOT_FOUND,   /* no such thing */
	E_EXISTS,      /* there already */
	E_STATE,       /* not possible in this state */
	E_UNSUPPORTED, /* this machine or build cannot */
	E_IO,          /* a device failed */
	E_SUSPEND,     /* not now: the caller waits and does it all again */
	E_CORRUPT,     /* a checksum or a signature does not match */
} err_t;

/* The error's name in lower case words, for messages: "out of memory". */
const char *err_text(err_t error);
