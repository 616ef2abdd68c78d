/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of the configuration's sections, as tables: what each is called, what is valid, where it goes.  Private to
 * config*.c. */
#pragma once
#include "kernel/lib/config.h"

struct config_key;
struct config_keys {
	const struct config_key *keys;
	u32 count; /* at most 64: `seen` masks */
};
extern const struct config_keys config_host_keys, config_vm_keys, config_pool_keys, config_group_keys;

/* Set the key in the struct at `base` unless *seen has it already, and note it there.  E_INVALID: `error` says why;
 * nothing has changed. */
err_t config_set_key(const struct config_keys *keys, void *base, const char *name, const char *value, u64 *seen,
		     char error[CONFIG_ERROR_BYTES]);

bool config_is_path(const struct config_keys *keys, const char *name);
bool config_is_name(const char *text);
/* What is not plain ASCII becomes '?': messages go to a console. */
void config_make_plain(char *text);

/* Words for shares are kept as marks until max is known. */
enum { SHARES_LOW = 0xfffffff0, SHARES_NORMAL, SHARES_HIGH };
u32 config_resolve_shares(u32 shares, u64 max_bytes);
