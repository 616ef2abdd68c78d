/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/emulate_fake.h"

u8 fake_memory[FAKE_MEMORY + 8];
u8 fake_device[FAKE_DEVICE_BYTES];
struct fake_access fake_log[FAKE_LOG];
u32 fake_accesses, fake_reaches, fake_suspend_at;
u64 fake_suspend_page;
struct vcpu fake_vcpu;

static void note(u64 address, u32 bytes, bool write, u64 value)
{
	if (fake_accesses < FAKE_LOG)
		fake_log[fake_accesses] =
			(struct fake_access){ .address = address, .value = value, .bytes = bytes, .write = write };
	fake_accesses++;
}

err_t mm_reach(struct mm_vm *vm, u32 vcpu, gpa_t address, u32 bytes, enum mm_access access, void **pointer)
{
	(void)vm, (void)vcpu, (void)access;
	CHECK(bytes > 0 && address.a % PAGE_SIZE + bytes <= PAGE_SIZE);
	fake_reaches++;
	if (address.a >> PAGE_SHIFT == fake_suspend_page || fake_reaches == fake_suspend_at)
		return E_SUSPEND;
	if (address.a >= FAKE_MEMORY)
		return E_NOT_FOUND;
	*pointer = fake_memory + address.a;
	return OK;
}

static bool is_device(u64 address, u32 bytes)
{
	return address >= FAKE_DEVICE && address - FAKE_DEVICE <= FAKE_DEVICE_BYTES - bytes;
}

u64 pc_mmio_read(struct pc *pc, u32 vcpu, gpa_t address, u32 size)
{
	u64 value = ~0ULL >> (64 - 8 * size);

	(void)pc, (void)vcpu;
	CHECK(size >= 1 && size <= 8 && address.a >= FAKE_MEMORY && address.a % PAGE_SIZE + size <= PAGE_SIZE);
	if (is_device(address.a, size)) {
		value = 0;
		memcpy(&value, fake_device + (address.a - FAKE_DEVICE), size);
	}
	note(address.a, size, false, value);
	return value;
}

void pc_mmio_write(struct pc *pc, u32 vcpu, gpa_t address, u32 size, u64 value)
{
	(void)pc, (void)vcpu;
	CHECK(size >= 1 && size <= 8 && address.a >= FAKE_MEMORY && address.a % PAGE_SIZE + size <= PAGE_SIZE);
	if (is_device(address.a, size))
		memcpy(fake_device + (address.a - FAKE_DEVICE), &value, size);
	note(address.a, size, true, value & ~0ULL >> (64 - 8 * size));
}

/* A port reads as the number of accesses before it, and its own number above. */
u32 pc_port_read(struct pc *pc, u32 vcpu, u16 port, u32 size)
{
	u32 value = fake_accesses | (u32)port << 16;

	(void)pc, (void)vcpu;
	CHECK(size == 1 || size == 2 || size == 4);
	note(port, size, false, value);
	return value;
}

void pc_port_write(struct pc *pc, u32 vcpu, u16 port, u32 size, u32 value)
{
	(void)pc, (void)vcpu;
	CHECK(size == 1 || size == 2 || size == 4);
	note(port, size, true, value);
}

bool pc_interrupt_pending(struct pc *pc, u32 vcpu)
{
	(void)pc, (void)vcpu;
	return false;
}

err_t pc_msr_read(struct pc *pc, u32 vcpu, u32 msr, u64 *value)
{
	(void)pc, (void)vcpu, (void)msr;
	*value = 0;
	return OK;
}

int pc_interrupt_ack(struct pc *pc, u32 vcpu)
{
	(void)pc, (void)vcpu;
	return -1;
}

/* ---- the guest ---- */

void fake_entry(u64 address, u64 entry)
{
	memcpy(fake_memory + address, &entry, sizeof(entry));
}

u64 fake_entry_at(u64 address)
{
	u64 entry;

	memcpy(&entry, fake_memory + address, sizeof(entry));
	return entry;
}

/* 4-level tables: linear addresses up to 2 MiB by 4 KiB pages, up to 1 GiB by 2 MiB ones, all where they are. */
static void make_tables(void)
{
	fake_entry(FAKE_TABLES, (FAKE_TABLES + 0x1000) | 0x7);
	fake_entry(FAKE_TABLES + 0x1000, (FAKE_TABLES + 0x2000) | 0x7);
	fake_entry(FAKE_TABLES + 0x2000, (FAKE_TABLES + 0x3000) | 0x7);
	for (u64 i = 1; i < 512; i++)
		fake_entry(FAKE_TABLES + 0x2000 + 8 * i, i << LARGE_SHIFT | 0x87);
	for (u64 i = 0; i < 512; i++)
		fake_entry(FAKE_TABLES + 0x3000 + 8 * i, i << PAGE_SHIFT | 0x7);
	vmcs_write(GUEST_CR3, FAKE_TABLES);
}

u64 fake_leaf(u64 linear)
{
	return FAKE_TABLES + 0x3000 + 8 * (linear >> PAGE_SHIFT);
}

void fake_guest(enum vcpu_mode mode)
{
	vmx_fake_reset();
	vmx_fake_mode(mode);
	memset(&fake_vcpu, 0, sizeof(fake_vcpu));
	memset(fake_memory, 0, sizeof(fake_memory));
	memset(fake_device, 0, sizeof(fake_device));
	fake_accesses = fake_reaches = fake_suspend_at = 0;
	fake_suspend_page = ~0ULL;
	if (mode == VCPU_LONG64)
		make_tables();
	fake_vcpu.cpuid.extended[8].a = FAKE_ADDRESS_BITS;
	fake_vcpu.exit.rip = FAKE_CODE;
	vmcs_write(GUEST_RSP, FAKE_STACK + 0x800);
}

void fake_code(const void *bytes, u32 count)
{
	memcpy(fake_memory + fake_vcpu.exit.rip, bytes, count);
}

void fake_violation(u64 linear, u64 address, u64 qualification)
{
	fake_vcpu.exit.qualification = qualification;
	vmcs_write(EXIT_LINEAR, linear);
	vmcs_write(EXIT_GPA, address);
}
