/* SPDX-License-Identifier: BSD-2-Clause */
/* `log follow on`: new lines of the log appear above the prompt, whole, and only while no command runs. */
#pragma once
#include "kernel/shell/out.h"

struct follow {
	bool on;
	u64 position;
};

bool follow_set(struct follow *follow, bool on); /* returns what it was */
/* Show what is new, at most a step's worth; true: something was shown. */
bool follow_show(struct follow *follow, struct out *out);
