/* SPDX-License-Identifier: BSD-2-Clause */
/* Events on their way to the guest: exceptions, NMIs, interrupts; which is next, which must wait for a window. */
#pragma once
#include "vmx/vcpu.h"

/* GUEST_INTERRUPTIBILITY, SDM vol. 3C, table 25-3. */
enum { BLOCKED_STI = 1, BLOCKED_MOV_SS = 2, BLOCKED_SMI = 4, BLOCKED_NMI = 8 };

/* Event types, SDM vol. 3C, table 25-17. */
enum {
	EVENT_INTERRUPT = 0,
	EVENT_NMI = 2,
	EVENT_EXCEPTION = 3,
	EVENT_SOFT_INTERRUPT = 4,
	EVENT_ICEBP = 5,
	EVENT_SOFT_EXCEPTION = 6,
	EVENT_OTHER = 7
};
enum { EVENT_TYPE_SHIFT = 8, EVENT_TYPE_MASK = 7, EVENT_HAS_ERROR = 1 << 11 };
#define EVENT_VALID (1U << 31)

/* Vectors that push an error code: #DF #TS #NP #SS #GP #PF #AC #CP. */
#define EXCEPTIONS_WITH_ERROR                                                                                                   \
	(BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) | BIT(VECTOR_PF) | BIT(VECTOR_AC) | \
	 BIT(21))

static inline u32 event_type(u32 info)
{
	return info >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK;
}

/* After an exit that may have cut an event's delivery short: take it back to deliver it again. */
void inject_replay(struct vcpu *v);
/* Before an entry: put the next event in place and ask for windows where one has to wait. */
void inject_before_entry(struct vcpu *v);
/* Forget everything that waits (INIT, reset). The VMCS is current. */
void inject_reset(struct vcpu *v);
