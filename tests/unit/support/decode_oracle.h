/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction decoder against Zydis. */
#pragma once
#include "vmx/decode.h"

/*
 * Is it one of ours?  Then Zydis says the same of its length, operation, operands, sizes, address and prefixes.  What is refused Zydis refuses
 * as well, and what is unknown is none of the operations on memory that we promise.  Else the test fails.
 */
bool decode_as_zydis(const struct code *code, enum decode_mode mode);

/* What was compared last: to be shown after a failure. */
extern char decode_latest[80];
