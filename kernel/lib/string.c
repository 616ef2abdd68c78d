/* SPDX-License-Identifier: BSD-2-Clause */
/* The few functions of <string.h> that the kernel and the compiler call. Long copies by 8-byte string operations: see docs. */
#include <string.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	void *target = to;
	size_t words = bytes / 8;

	bytes %= 8;
	__asm__ volatile("rep movsq\n\tmov %3, %%rcx\n\trep movsb"
			 : "+D"(target), "+S"(from), "+c"(words)
			 : "r"(bytes)
			 : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	char *target = to;
	const char *source = from;

	if ((uintptr_t)target - (uintptr_t)source >= bytes)
		return memcpy(to, from, bytes);
	while (bytes--)
		target[bytes] = source[bytes];
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	void *target = to;
	size_t words = bytes / 8;

	bytes %= 8;
	__asm__ volatile("rep stosq\n\tmov %2, %%rcx\n\trep stosb"
			 : "+D"(target), "+c"(words)
			 : "r"(bytes), "a"((uint8_t)value * 0x0101010101010101ULL)
			 : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const unsigned char *left = a;
	const unsigned char *right = b;

	for (size_t i = 0; i < bytes; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

void *memchr(const void *start, int wanted, size_t bytes)
{
	const unsigned char *at = start;

	for (; bytes; at++, bytes--)
		if (*at == (unsigned char)wanted)
			return (void *)(uintptr_t)at;
	return NULL;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int strncmp(const char *a, const char *b, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (a[i] != b[i])
			return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
		if (!a[i])
			return 0;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *text, int wanted)
{
	for (;; text++) {
		if (*text == (char)wanted)
			return (char *)(uintptr_t)text;
		if (!*text)
			return NULL;
	}
}
