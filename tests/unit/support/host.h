/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
/* The latest line that was logged. */
extern char host_last_log[256];
