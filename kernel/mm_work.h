/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
/* Start list: mm's background work becomes a task. */
void mm_work_start(void);
