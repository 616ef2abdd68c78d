# SPDX-License-Identifier: BSD-2-Clause
# Fuzzing with libFuzzer (clang): one program per tests/fuzz/*_fuzz.c.
FUZZ_SECONDS ?= 30
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SRCS := $(wildcard vmx/decode*.c vmx/emulate*.c) $(addprefix vmx/,walk.c strio.c cpuid.c inject.c why.c vmcs.c) \
	$(addprefix kernel/lib/,format.c error.c log.c) $(addprefix tests/unit/support/,emulate_fake.c vmx_fake.c host.c)
FUZZ_FLAGS := -Itests/unit/fake -I. $(COMMON) -O1 -fno-omit-frame-pointer -DAEROSTAT_HOST \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

$(B)/fuzz/%.o: %.c $(GENERATED) Makefile tests/fuzz.mk
	@mkdir -p $(@D)
	@clang $(FUZZ_FLAGS) -c $< -o $@

$(B)/fuzz/libhost.a: $(FUZZ_SRCS:%.c=$(B)/fuzz/%.o)
	@rm -f $@; ar rcs $@ $^

$(B)/fuzz/%_fuzz: $(B)/fuzz/tests/fuzz/%_fuzz.o $(B)/fuzz/libhost.a
	@echo "  LINK    $@"
	@clang -fsanitize=fuzzer,address,undefined -o $@ $^ -lZydis -lpthread

## make fuzz         each fuzzer for FUZZ_SECONDS (30), from the inputs that earlier runs found interesting
fuzz: $(FUZZ)
	@for f in $^; do mkdir -p $$f.corpus && \
		$$f -max_total_time=$(FUZZ_SECONDS) -max_len=512 -artifact_prefix=$$f. $$f.corpus || exit 1; done

.PHONY: fuzz
