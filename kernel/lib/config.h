/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration (aerostat.conf): an INI text becomes structs.  Pure; used by the loader, the kernel and host tests.
 * An error names file, line and key and says what is valid; it spoils its own VM (or value), never another's.
 *
 * A comment is a line that begins with ';' or '#', and what follows a ';' that a blank precedes: `a;b` in a command
 * line stays whole.
 */
#pragma once
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

enum {
	CONFIG_MAX_VMS = 64,
	CONFIG_MAX_POOLS = 16,
	CONFIG_MAX_GROUPS = 16,
	CONFIG_NAME_BYTES = 32,
	CONFIG_PATH_BYTES = 128,
	CONFIG_CMDLINE_BYTES = 1024,
	CONFIG_MAX_MODULES = 4, /* of a multiboot guest */
	CONFIG_MAX_VCPUS = 4,
	CONFIG_MAX_ERRORS = 32,
	CONFIG_ERROR_BYTES = 300,
	CONFIG_MAX_TEXT_BYTES = 256 * 1024,
};

enum config_identity { IDENTITY_KVM, IDENTITY_VMWARE, IDENTITY_NONE };

/* Kinds of balloon that a VM is offered: bits. */
enum config_balloon {
	BALLOON_NONE = 0,
	BALLOON_VIRTIO = 1,
	BALLOON_VMWARE = 2,
	BALLOON_AEROSTAT = 4,
	BALLOON_ALL = BALLOON_VIRTIO | BALLOON_VMWARE | BALLOON_AEROSTAT,
};

/* Sharing within a group: fast leaves pages readable, secure takes every right away (no Flush+Reload). */
enum config_group_mode { GROUP_FAST, GROUP_SECURE };

struct config_vm {
	char name[CONFIG_NAME_BYTES];
	char kernel[CONFIG_PATH_BYTES];
	char initrd[CONFIG_PATH_BYTES];                      /* empty: none */
	char modules[CONFIG_MAX_MODULES][CONFIG_PATH_BYTES]; /* keys module0 … module3: multiboot modules */
	char cmdline[CONFIG_CMDLINE_BYTES];
	u64 memory_max_bytes;
	u64 memory_min_bytes;
	u32 memory_shares;                   /* resolved to a number: low/normal/high = 5/10/20 per MiB of max */
	char share_group[CONFIG_NAME_BYTES]; /* "none": alone */
	char pool[CONFIG_NAME_BYTES];        /* "none": beside the pools */
	u32 balloon;                         /* enum config_balloon */
	u32 vcpus;
	enum config_identity identity;
	u64 tsc_khz; /* 0: calibrated */
	bool autostart;
	u32 line;          /* of its section */
	const char *error; /* NULL, or the first complaint about it (of `errors`): it must not start */
};

/* A resource pool: as a whole its VMs and pools count like one VM of these numbers. */
struct config_pool {
	char name[CONFIG_NAME_BYTES];
	u64 min_bytes;
	u64 max_bytes;                  /* 0: no limit */
	u32 shares;                     /* resolved as a VM's; without max as one of 16 GiB */
	char parent[CONFIG_NAME_BYTES]; /* "none": at the top */
	u32 line;
	const char *error; /* or NULL; with an error: treat it as if it had its defaults */
};

struct config_group {
	char name[CONFIG_NAME_BYTES];
	enum config_group_mode mode;
	u32 line;
	const char *error; /* or NULL; with an error its VMs must not share: what its owner wanted is unknown */
};

struct config_host {
	u32 tax_percent;
	char swap[CONFIG_NAME_BYTES]; /* name of a GPT partition, "none" */
	bool overcommit_unsafe;
	bool mitigations;
	bool smt;
	char startup[CONFIG_PATH_BYTES]; /* empty: none */
};

struct config {
	const char *file; /* as config_parse was told */
	struct config_host host;
	struct config_vm vms[CONFIG_MAX_VMS];
	struct config_pool pools[CONFIG_MAX_POOLS];
	struct config_group groups[CONFIG_MAX_GROUPS];
	u32 vm_count, pool_count, group_count;
	char errors[CONFIG_MAX_ERRORS][CONFIG_ERROR_BYTES];
	u32 error_count; /* may exceed CONFIG_MAX_ERRORS: then the rest was counted only */
};

/* Parse `bytes` of text; `file` is used in messages.  Always yields a usable config: what was wrong is in errors. */
void config_parse(struct config *config, const char *file, const char *text, size_t bytes);
/* The same where files can be asked for: `trouble` says of a path NULL, or what is wrong ("is not on the boot volume"). */
void config_parse_with_files(struct config *config, const char *file, const char *text, size_t bytes,
			     const char *(*trouble)(const char *path));

/*
 * Set one key of a VM from its text ("memory.min", "64M"): the configuration's and `vm set`'s one table of keys.  Looks
 * at this key alone: that min is at most max, and that the pool exists, is the caller's to check once all keys are set.
 * On error returns E_INVALID, changes nothing and writes one line without file and line number to `error`.
 */
err_t config_set(struct config_vm *vm, const char *key, const char *value, char error[CONFIG_ERROR_BYTES]);
const char *config_vm_key(u32 index); /* the names of these keys; NULL: the end */

/* "64M" → bytes.  Bytes, or K, M, G of 1024; E_INVALID on anything else or on overflow. */
err_t config_size(const char *text, u64 *bytes);
