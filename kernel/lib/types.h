/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integers, addresses and pages.  An address says by its type whose it is: a machine-physical address never passes for a
 * guest-physical one.  Words as in the ESX Server paper: MPN machine page number, PPN guest-"physical" page number.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64; /* so that %llu prints it everywhere */
typedef int8_t s8;
typedef int32_t s32;
typedef long long s64;

/* clang-format off */ /* a type a line */
typedef struct { u64 a; } mpa_t; /* machine-physical address */
typedef struct { u64 a; } gpa_t; /* guest-"physical" address */
typedef struct { u64 a; } gva_t; /* guest-virtual (linear) address */
typedef struct { u32 n; } mpn_t; /* machine page number: 16 TiB reach */
typedef struct { u32 n; } ppn_t; /* guest-"physical" page number */
/* clang-format on */

enum {
	PAGE_SHIFT = 12,
	PAGE_SIZE = 1 << PAGE_SHIFT,
	LARGE_SHIFT = 21,
	LARGE_PAGES = 1 << (LARGE_SHIFT - PAGE_SHIFT), /* 4 KiB pages in a 2 MiB one */
};

static inline mpn_t mpn_of(mpa_t address)
{
	return (mpn_t){ (u32)(address.a >> PAGE_SHIFT) };
}

static inline mpa_t mpa_of(mpn_t mpn)
{
	return (mpa_t){ (u64)mpn.n << PAGE_SHIFT };
}

static inline ppn_t ppn_of(gpa_t address)
{
	return (ppn_t){ (u32)(address.a >> PAGE_SHIFT) };
}

static inline gpa_t gpa_of(ppn_t ppn)
{
	return (gpa_t){ (u64)ppn.n << PAGE_SHIFT };
}

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(n) (1ULL << (n))
/* On a type.  Only clang checks it there in C (gcc does for C++): `make lint` runs it. */
#ifdef __clang__
#define MUST_CHECK __attribute__((warn_unused_result))
#else
#define MUST_CHECK
#endif
#define NORETURN __attribute__((noreturn))
#define PRINTF(text, first) __attribute__((format(printf, text, first)))
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((u8 *)(pointer)-offsetof(type, member)))

static inline u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

static inline u64 max_u64(u64 a, u64 b)
{
	return a > b ? a : b;
}
