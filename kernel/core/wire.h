/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The management wire: bytes out (64 KiB ring) and in (4 KiB ring), whatever device carries them.  Any CPU, any step; never waits,
 * except while the machine starts: then nobody takes interrupts, and wire_put writes the bytes out itself.
 */
#pragma once
#include "kernel/lib/types.h"

enum { WIRE_OUT_BYTES = 64 * 1024, WIRE_IN_BYTES = 4096 };

u32 wire_put(const u8 *bytes, u32 count); /* returns how many were taken: what fits */
u32 wire_room(void);                      /* bytes that wire_put would take now */
u32 wire_take(u8 *bytes, u32 count);      /* input, oldest first */
void wire_on_input(void (*wake)(void));   /* called when input has come, from the interrupt's step */
u64 wire_lost(void);                      /* input bytes that nobody took in time */

/* From now on interrupts carry the output: the scheduler is about to run. */
void wire_serve(void);
/* Write everything out by polling, bounded, until the last byte has left the device; before power-off. */
void wire_flush(void);
/* The same for a panic: without locks (the other CPUs have stopped), and `bytes` after what was still to be written. */
void wire_panic(const u8 *bytes, u32 count);

/* ---- the screen's side: it shows the same bytes, at its own pace; where there is no device, the ring waits for it ---- */

struct wire_screen {
	void (*drain)(void);                       /* show all that was said */
	void (*panic)(const u8 *bytes, u32 count); /* show it at once, without locks */
};
void wire_attach_screen(const struct wire_screen *screen);
u32 wire_screen_take(u8 *bytes, u32 count); /* its next bytes; what the ring has lost meanwhile is passed over */
void wire_on_output(void (*wake)(void));    /* called when there is something for it, from any step */

/* ---- the device's side ---- */

struct wire_port {
	u32 (*send)(const u8 *bytes, u32 count); /* hand over what the device takes at once; 0: busy */
	void (*want)(bool more);                 /* interrupt when it can take more, or no longer */
	bool (*idle)(void);                      /* the last byte has left it */
};
void wire_attach(const struct wire_port *port); /* also instead of the one before: it gets all that the ring still has */
void wire_can_send(void);                       /* the device's interrupt: it can take more */
void wire_received(const u8 *bytes, u32 count); /* the device's interrupt: input */
