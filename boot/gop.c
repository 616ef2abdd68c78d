/* SPDX-License-Identifier: BSD-2-Clause */
/* The framebuffer that firmware set up, if the kernel can draw on it: 32 bits a pixel. UEFI 2.10, 12.9. */
#include "boot/boot.h"
#include "kernel/lib/check.h"

void framebuffer_find(void)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics;
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;

	if (boot.services->LocateProtocol(&guid, NULL, (void **)&graphics) != EFI_SUCCESS || !graphics->Mode ||
	    !graphics->Mode->Info)
		return;
	mode = graphics->Mode->Info;
	if (mode->PixelFormat != PixelBlueGreenRedReserved8BitPerColor &&
	    mode->PixelFormat != PixelRedGreenBlueReserved8BitPerColor)
		return;
	if (mode->PixelsPerScanLine < mode->HorizontalResolution || mode->VerticalResolution == 0)
		return;
	boot.info->framebuffer = (struct boot_framebuffer){
		.base = graphics->Mode->FrameBufferBase,
		.width = mode->HorizontalResolution,
		.height = mode->VerticalResolution,
		.pixels_per_line = mode->PixelsPerScanLine,
		.format = mode->PixelFormat == PixelRedGreenBlueReserved8BitPerColor,
	};
	CHECK(boot.info->framebuffer.width <= boot.info->framebuffer.pixels_per_line);
}
