/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines on firmware's console. */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"

enum { LINE_BYTES = 240, GIVE_UP_SECONDS = 10 };

static void put(const char *text)
{
	CHAR16 wide[LINE_BYTES + 1];
	u32 length = 0;

	for (; length < LINE_BYTES && text[length]; length++)
		wide[length] = (u8)text[length];
	wide[length] = 0;
	boot.system->ConOut->OutputString(boot.system->ConOut, wide);
}

void say_part(const char *text, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, text);
	format_va(line, sizeof(line), text, arguments);
	va_end(arguments);
	put(line);
}

void say(const char *text, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, text);
	format_va(line, sizeof(line), text, arguments);
	va_end(arguments);
	put(line);
	put("\r\n");
}

static void wait_for_key(void)
{
	EFI_EVENT events[2] = { boot.system->ConIn->WaitForKey, NULL };
	UINTN which;

	if (boot.services->CreateEvent(EVT_TIMER, 0, NULL, NULL, &events[1]) != EFI_SUCCESS)
		return;
	if (boot.services->SetTimer(events[1], TimerRelative, GIVE_UP_SECONDS * 10000000ULL) == EFI_SUCCESS)
		boot.services->WaitForEvent(2, events, &which);
	boot.services->CloseEvent(events[1]);
}

void give_up(const char *text, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, text);
	format_va(line, sizeof(line), text, arguments);
	va_end(arguments);
	say("aerostat: %s", line);
	say("Back to the firmware after a key or %d s.", GIVE_UP_SECONDS);
	wait_for_key();
	boot.services->Exit(boot.image, EFI_LOAD_ERROR, 0, NULL);
	for (;;)
		__asm__ volatile("hlt");
}

void check_failed(const char *file, int line, const char *what)
{
	give_up("%s:%d: CHECK(%s) failed", file, line, what);
}
