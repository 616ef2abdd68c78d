/* SPDX-License-Identifier: BSD-2-Clause */
/* The framebuffer that firmware set up as a screen of the management wire; it takes no input. */
#pragma once
#include "kernel/lib/types.h"

/* Map it and attach it to the wire; the log says why not. Needs paging. */
void framebuffer_init(void);
bool framebuffer_is_there(void);
/* Take some of the wire's output and draw some of what has changed. True: there is more. Any CPU. */
bool framebuffer_step(void);
/* All of it: while the machine starts, and at its end. */
void framebuffer_drain(void);
