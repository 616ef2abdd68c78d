/* SPDX-License-Identifier: BSD-2-Clause */
/* The framebuffer that firmware set up, as firmware describes it: the kernel sees whether it can draw on it. UEFI 2.10, 12.9. */
#include "boot/boot.h"

void framebuffer_find(void)
{
	static const u32 formats[] = {
		[PixelRedGreenBlueReserved8BitPerColor] = BOOT_PIXELS_RGBX,
		[PixelBlueGreenRedReserved8BitPerColor] = BOOT_PIXELS_BGRX,
		[PixelBitMask] = BOOT_PIXELS_OTHER,
	};
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics;
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;

	if (boot.services->LocateProtocol(&guid, NULL, (void **)&graphics) != EFI_SUCCESS || !graphics->Mode ||
	    !graphics->Mode->Info)
		return;
	mode = graphics->Mode->Info;
	boot.info->framebuffer = (struct boot_framebuffer){
		.base = mode->PixelFormat == PixelBltOnly ? 0 : graphics->Mode->FrameBufferBase,
		.width = mode->HorizontalResolution,
		.height = mode->VerticalResolution,
		.pixels_per_line = mode->PixelsPerScanLine,
		.format = mode->PixelFormat < ARRAY_SIZE(formats) ? formats[mode->PixelFormat] : BOOT_PIXELS_OTHER,
	};
}
