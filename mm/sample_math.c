/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers of sampling: averages, the estimate, its confidence. */
#include "kernel/lib/check.h"
#include "mm/sample.h"

enum { FAST_SHIFT = 1, SLOW_SHIFT = 3 }; /* gains of 1/2 and 1/8: what a VM no longer uses counts half after five periods */
#define MILLION 1000000ULL
#define Z 1959964ULL /* of the normal distribution: 95 %, in millionths */
#define Z_SQUARED 3841459ULL

static u32 fraction(u32 touched, u32 chosen)
{
	CHECK(touched <= chosen);
	return chosen ? (u32)((u64)touched * SAMPLE_ONE / chosen) : 0;
}

static u32 moved(u32 average, u32 to, u32 shift)
{
	/* Rounded towards the goal, so that an average can arrive there. */
	s64 away = (s64)to - average;
	s64 step = away >= 0 ? (away + (1 << shift) - 1) >> shift : -((-away + (1 << shift) - 1) >> shift);

	return (u32)(average + step);
}

void sample_add(struct sample_averages *averages, u32 touched, u32 chosen)
{
	u32 now = fraction(touched, chosen);

	if (!averages->begun)
		*averages = (struct sample_averages){ now, now, true };
	averages->slow = moved(averages->slow, now, SLOW_SHIFT);
	averages->fast = moved(averages->fast, now, FAST_SHIFT);
}

u32 sample_estimate(const struct sample_averages *averages, u32 touched, u32 chosen)
{
	u32 running = moved(averages->fast, fraction(touched, chosen), FAST_SHIFT);
	u32 largest = averages->slow > averages->fast ? averages->slow : averages->fast;

	if (!averages->begun)
		return chosen ? fraction(touched, chosen)
			      : SAMPLE_ONE; /* all counts as active until there is something to tell */
	return running > largest ? running : largest;
}

static u64 square_root(u64 of)
{
	u64 root = 0;

	for (u64 bit = 1ULL << 31; bit; bit >>= 1) {
		if ((root + bit) * (root + bit) <= of)
			root += bit;
	}
	return root;
}

/* The lower bound in millionths; the upper one is the lower one of what was not touched. */
static u64 lower(u64 touched, u64 chosen)
{
	if (!touched)
		return 0;
	/* All in millionths: 2t + z² − 1 − z·√(z² − 2 − 1/n + 4t(n − t + 1)/n), over 2(n + z²). */
	u64 under_root = Z_SQUARED + 4 * MILLION * touched * (chosen - touched + 1) / chosen - 2 * MILLION - MILLION / chosen;
	u64 root = square_root(under_root * MILLION);
	u64 plus = 2 * MILLION * touched + Z_SQUARED - MILLION;
	u64 minus = Z * root / MILLION + 1;

	return plus > minus ? (plus - minus) * MILLION / (2 * (MILLION * chosen + Z_SQUARED)) : 0;
}

struct sample_interval sample_interval(u32 touched, u32 chosen)
{
	CHECK(touched <= chosen);
	if (!chosen)
		return (struct sample_interval){ 0, SAMPLE_ONE };
	return (struct sample_interval){
		.low = (u32)(lower(touched, chosen) * SAMPLE_ONE / MILLION),
		.high = SAMPLE_ONE - (u32)(lower(chosen - touched, chosen) * SAMPLE_ONE / MILLION),
	};
}
