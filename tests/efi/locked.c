/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a careful server's firmware does with "Virtualization: disabled": IA32_FEATURE_CONTROL locked on every CPU with VMX off (or, careless, on
 * all but the first: LOCK_BOOT_CPU is 0).  Emulators' firmware leaves it open.  Takes the place of \EFI\BOOT\BOOTX64.EFI and goes on with our loader, which is \EFI\BOOT\AEROSTAT.EFI then.
 */
#include <efi.h>
#include <efilib.h>

#define MP_SERVICES_GUID                                               \
	{                                                              \
		0x3fdda605, 0xa76e, 0x4f46,                            \
		{                                                      \
			0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 \
		}                                                      \
	}

enum { MSR_FEATURE_CONTROL = 0x3a, LOCKED = 1 };

/* PI 1.7, vol. 2, 13.4; not in gnu-efi's headers. */
struct mp_services {
	EFI_STATUS(EFIAPI *count)(struct mp_services *mp, UINTN *processors, UINTN *enabled);
	void *info;
	EFI_STATUS(EFIAPI *start_all)
	(struct mp_services *mp, void(EFIAPI *function)(void *argument), BOOLEAN one_by_one, EFI_EVENT event, UINTN microseconds,
	 void *argument, UINTN **failed);
};

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static void EFIAPI lock_this_cpu(void *argument)
{
	(void)argument;
	__asm__ volatile("wrmsr" : : "c"(MSR_FEATURE_CONTROL), "a"(LOCKED), "d"(0));
}

static void lock_all_cpus(EFI_BOOT_SERVICES *services)
{
	EFI_GUID guid = MP_SERVICES_GUID;
	struct mp_services *mp;

	if (LOCK_BOOT_CPU)
		lock_this_cpu(NULL);
	if (services->LocateProtocol(&guid, NULL, (void **)&mp) == EFI_SUCCESS)
		mp->start_all(mp, lock_this_cpu, TRUE, NULL, 0, NULL, NULL); /* an error: there are no others */
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_BOOT_SERVICES *services = system->BootServices;
	EFI_GUID loaded_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	EFI_LOADED_IMAGE *loaded;
	EFI_HANDLE next;
	EFI_STATUS status;

	InitializeLib(image, system);
	lock_all_cpus(services);
	status = services->HandleProtocol(image, &loaded_guid, (void **)&loaded);
	if (status == EFI_SUCCESS) {
		EFI_DEVICE_PATH *path = FileDevicePath(loaded->DeviceHandle, L"\\EFI\\BOOT\\AEROSTAT.EFI");

		status = services->LoadImage(FALSE, image, path, NULL, 0, &next);
	}
	return status == EFI_SUCCESS ? services->StartImage(next, NULL, NULL) : status;
}
