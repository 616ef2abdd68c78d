/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers: ChaCha20 (RFC 8439) keyed once with what the loader gathered from firmware and the processor. */
#pragma once
#include "kernel/lib/types.h"

/* Key the generator; once, before the first number is drawn. Any number of bytes, good and bad ones mixed. */
void random_seed(const u8 *entropy, u32 bytes);
/* A number nobody can predict from others. Any CPU, no lock: each CPU draws its own stream. */
u64 random_u64(void);
