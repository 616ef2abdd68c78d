/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instead of libFuzzer: runs the fuzzer once on each input kept for it, in tests/fuzz/corpus/NAME for build/unit/NAME_fuzz, or on the files
 * named on the command line.  What was ever found stays found.
 */
#include "tests/fuzz/input.h"
#include <dirent.h>
#include <stdio.h>

static void run(const char *path)
{
	FILE *file = fopen(path, "rb");

	printf("input %s\n", path);
	fflush(stdout);
	if (!file || fseek(file, 0, SEEK_END))
		exit(1);
	size_t bytes = (size_t)ftell(file);
	u8 *data = malloc(bytes + 1); /* none is an input, too */

	rewind(file);
	if (fread(data, 1, bytes, file) != bytes)
		exit(1);
	fclose(file);
	LLVMFuzzerTestOneInput(data, bytes);
	free(data);
}

static u32 run_folder(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);
	u32 inputs = 0;

	for (int i = 0; i < count; i++) {
		char path[1024];

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.') {
			run(path);
			inputs++;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return inputs;
}

int main(int count, char **arguments)
{
	const char *slash = strrchr(arguments[0], '/');
	const char *name = slash ? slash + 1 : arguments[0];
	char folder[256];
	u32 inputs = 0;

	snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%.*s", (int)strcspn(name, "_"), name);
	for (int i = 1; i < count; i++, inputs++)
		run(arguments[i]);
	if (count == 1)
		inputs = run_folder(folder);
	if (!inputs) {
		fprintf(stderr, "no input in %s\n", folder);
		return 1;
	}
	printf("[       OK ] %s: %u inputs\n", name, inputs);
	return 0;
}
