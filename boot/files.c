/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of the volume that the loader came from, read whole into pages that the kernel keeps. */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CHUNK_BYTES = 1 << 20, INFO_BYTES = 512 };

static EFI_FILE_PROTOCOL *volume(void)
{
	static EFI_FILE_PROTOCOL *root;
	EFI_GUID loaded_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID, files_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_LOADED_IMAGE *loaded;
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *files;

	if (root)
		return root;
	if (boot.services->HandleProtocol(boot.image, &loaded_guid, (void **)&loaded) != EFI_SUCCESS ||
	    boot.services->HandleProtocol(loaded->DeviceHandle, &files_guid, (void **)&files) != EFI_SUCCESS ||
	    files->OpenVolume(files, &root) != EFI_SUCCESS)
		give_up("cannot open the volume that this program came from");
	CHECK(root != NULL);
	return root;
}

static EFI_FILE_PROTOCOL *open(const char *path)
{
	CHAR16 wide[BOOT_PATH_BYTES];
	EFI_FILE_PROTOCOL *file;
	u32 length = 0;

	for (; path[length] && length + 1 < BOOT_PATH_BYTES; length++)
		wide[length] = path[length] == '/' ? '\\' : (u8)path[length];
	wide[length] = 0;
	if (volume()->Open(volume(), &file, wide, EFI_FILE_MODE_READ, 0) != EFI_SUCCESS)
		return NULL;
	return file;
}

/* False for a folder too. */
static bool size_of(EFI_FILE_PROTOCOL *file, u64 *bytes)
{
	EFI_GUID guid = EFI_FILE_INFO_ID;
	union {
		EFI_FILE_INFO info;
		u8 room[INFO_BYTES];
	} answer;
	UINTN room = sizeof(answer);

	if (file->GetInfo(file, &guid, &room, &answer) != EFI_SUCCESS || (answer.info.Attribute & EFI_FILE_DIRECTORY))
		return false;
	*bytes = answer.info.FileSize;
	return true;
}

static void say_progress(const char *owner, const char *path, u64 done, u64 bytes)
{
	u64 tenths = bytes * 10 >> (bytes < BIT(20) ? 10 : 20);

	say_part("\r%s%s%s %llu.%llu %s ... %llu %%", owner ? owner : "", owner ? ": " : "", path, tenths / 10, tenths % 10,
		 bytes < BIT(20) ? "KiB" : "MiB", bytes ? done * 100 / bytes : 100);
}

static bool read(EFI_FILE_PROTOCOL *file, const char *owner, const char *path, u8 *to, u64 bytes)
{
	for (u64 done = 0; done < bytes;) {
		UINTN piece = min_u64(bytes - done, CHUNK_BYTES);

		say_progress(owner, path, done, bytes);
		if (file->Read(file, &piece, to + done) != EFI_SUCCESS || piece == 0)
			return false;
		done += piece;
	}
	say_progress(owner, path, bytes, bytes);
	return true;
}

static struct boot_file load(EFI_FILE_PROTOCOL *file, const char *owner, const char *path)
{
	u64 size, address, pages;

	if (!size_of(file, &size))
		return (struct boot_file){ .status = BOOT_MODULE_READ_ERROR };
	pages = max_u64(1, (size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	address = pages_try(pages, BOOT_MEMORY_MODULE, 0);
	if (!address)
		return (struct boot_file){ .status = BOOT_MODULE_NO_MEMORY };
	if (!read(file, owner, path, (u8 *)address, size))
		return (struct boot_file){ .status = BOOT_MODULE_READ_ERROR };
	return (struct boot_file){ (u8 *)address, size, XXH64((u8 *)address, size, 0), BOOT_MODULE_LOADED };
}

struct boot_file file_load(const char *owner, const char *path)
{
	static const char *const trouble[] = {
		[BOOT_MODULE_MISSING] = "not on this volume",
		[BOOT_MODULE_READ_ERROR] = "cannot be read",
		[BOOT_MODULE_NO_MEMORY] = "does not fit in memory",
	};
	struct boot_file result = { .status = BOOT_MODULE_MISSING };
	EFI_FILE_PROTOCOL *file = open(path);

	if (file) {
		result = load(file, owner, path);
		file->Close(file);
	}
	if (result.status == BOOT_MODULE_LOADED)
		say(" xxh64 %016llx", result.xxh64);
	else
		say("\r%s%s%s: %s", owner ? owner : "", owner ? ": " : "", path, trouble[result.status]);
	return result;
}
