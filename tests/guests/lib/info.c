/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot information, copied before anything is overwritten; and the order in which a guest starts. */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum { MULTIBOOT_LOADED = 0x2badb002, INFO_CMDLINE = 1 << 2, INFO_MODULES = 1 << 3, INFO_MAP = 1 << 6, MAP_USABLE = 1 };

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};
struct multiboot_module {
	u32 start, end, name, reserved;
};
struct multiboot_map {
	u32 size;
	u64 base, length;
	u32 type;
} __attribute__((packed));

struct guest_region guest_regions[GUEST_MAX_REGIONS];
u32 guest_region_count;
struct guest_region guest_module;
char guest_cmdline[256];
void guest_start(u32 magic, u32 info_at);

u64 guest_memory_bytes(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < guest_region_count; i++)
		sum += guest_regions[i].bytes;
	return sum;
}

struct guest_region guest_free_memory(void)
{
	u64 from = ((u64)guest_end + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);

	for (u32 i = 0; i < guest_region_count; i++) {
		u64 end = (guest_regions[i].base + guest_regions[i].bytes) & ~(u64)(PAGE_SIZE - 1);

		if (from >= guest_regions[i].base && from < end)
			return (struct guest_region){ from, end - from };
	}
	die("our image lies in no usable memory");
}

static const char *find_option(const char *word, char after)
{
	size_t length = strlen(word);
	const char *at = guest_cmdline;

	while (at) {
		while (*at == ' ')
			at++;
		if (strncmp(at, word, length) == 0 && (at[length] == after || (after == ' ' && !at[length])))
			return at + length;
		at = strchr(at, ' ');
	}
	return NULL;
}

bool guest_option(const char *word)
{
	return find_option(word, ' ') != NULL;
}

u64 guest_number(const char *name, u64 otherwise)
{
	const char *at = find_option(name, '=');
	u64 value = 0;

	if (!at)
		return otherwise;
	for (at++; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (u64)(*at - '0');
	return value;
}

static void read_map(const struct multiboot_info *info)
{
	for (u64 at = info->mmap_addr; at < (u64)info->mmap_addr + info->mmap_length;) {
		const struct multiboot_map *entry = (const struct multiboot_map *)at;

		if (entry->type == MAP_USABLE && guest_region_count < GUEST_MAX_REGIONS)
			guest_regions[guest_region_count++] = (struct guest_region){ entry->base, entry->length };
		at += entry->size + sizeof(entry->size);
	}
}

void guest_start(u32 magic, u32 info_at)
{
	const struct multiboot_info *info = (const struct multiboot_info *)(u64)info_at;

	console_init();
	if (magic != MULTIBOOT_LOADED)
		die("EAX was 0x%x at entry, not multiboot's magic", magic);
	if (info->flags & INFO_CMDLINE) {
		const char *text = (const char *)(u64)info->cmdline;
		size_t length = strlen(text);

		memcpy(guest_cmdline, text, length < sizeof(guest_cmdline) ? length : sizeof(guest_cmdline) - 1);
	}
	if (info->flags & INFO_MAP)
		read_map(info);
	if ((info->flags & INFO_MODULES) && info->mods_count) {
		const struct multiboot_module *module = (const struct multiboot_module *)(u64)info->mods_addr;

		guest_module = (struct guest_region){ module->start, module->end - module->start };
	}
	interrupts_init();
	apic_init();
	time_init();
	low_page_prepare();
	guest_main();
	for (;;)
		__asm__ volatile("sti; hlt");
}
