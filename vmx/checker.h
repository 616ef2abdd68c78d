/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which rule of VM entry did the current VMCS break?  Runs only after an entry failed; the rules are rows in checker_*.c
 * (checker_rules.h).  SDM vol. 3C, 26.2 and 26.3.
 */
#pragma once

/* The rule's text, or "no rule that the checker knows". */
const char *checker_find(void);
