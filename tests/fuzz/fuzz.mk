# SPDX-License-Identifier: BSD-2-Clause
# Fuzzers, tests/fuzz/NAME_fuzz.c, each built twice: by clang with libFuzzer, which invents inputs (make fuzz, make stress), and by gcc with
# replay.c, a host test that runs the inputs kept in tests/fuzz/corpus/NAME.  Included by the Makefile behind the host tests, whose lists it needs.
FUZZ_SECONDS ?= 30
FUZZ_BYTES := 4096
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
# gcc has seen the same sources with all its warnings.
FUZZ_FLAGS := $(filter-out $(WARNINGS),$(HOST_FLAGS)) -w -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz_O := $(HOST_SRCS:%.c=$(B)/fuzz/%.o) $(B)/libraries.o
supports_of = $(patsubst %.c,$(B)/$(1)/%.o,$(call support_of,tests/fuzz/$(2)_fuzz.c))

$(B)/fuzz/%.o: %.c $(GENERATED) Makefile tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	@clang $(FUZZ_FLAGS) -c $< -o $@

$(B)/fuzz/libhost.a: $(fuzz_O)
	@rm -f $@; ar rcs $@ $^

$(foreach fuzzer,$(FUZZERS),$(eval $(B)/unit/$(fuzzer)_fuzz: $(call supports_of,asan,$(fuzzer))))
$(foreach fuzzer,$(FUZZERS),$(eval $(B)/fuzz/$(fuzzer)_fuzz: $(call supports_of,fuzz,$(fuzzer))))

$(B)/unit/%_fuzz: $(B)/asan/tests/fuzz/%_fuzz.o $(B)/asan/tests/fuzz/replay.o $(B)/asan/libhost.a
	@mkdir -p $(@D); echo "  LINK    $@"
	@$(CC) $(HOST_SAN) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lZydis -lpthread

$(B)/fuzz/%_fuzz: $(B)/fuzz/tests/fuzz/%_fuzz.o $(B)/fuzz/libhost.a
	@echo "  LINK    $@"
	@clang -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lZydis -lpthread

# From the kept inputs and those that earlier runs here have found; a failure leaves its input beside the program.
fuzz-%: $(B)/fuzz/%_fuzz
	@mkdir -p $<.corpus tests/fuzz/corpus/$*
	@$< -max_total_time=$(FUZZ_SECONDS) -max_len=$(FUZZ_BYTES) -timeout=20 -rss_limit_mb=4096 -verbosity=0 \
		-artifact_prefix=$<. $<.corpus tests/fuzz/corpus/$*

## make fuzz         each fuzzer for FUZZ_SECONDS (30), two at a time; make fuzz-NAME one of them
fuzz: $(FUZZERS:%=$(B)/fuzz/%_fuzz)
	@tools/run-tests $(FUZZERS:%="$(MAKE) -s fuzz-% FUZZ_SECONDS=$(FUZZ_SECONDS)")

# Into the kept inputs: the few of all that the runs here have found which reach code that none of them reaches.
fuzz-keep-%: $(B)/fuzz/%_fuzz
	@mkdir -p $<.corpus
	@$< -merge=1 -use_counters=0 -max_len=$(FUZZ_BYTES) tests/fuzz/corpus/$* $<.corpus

.PHONY: fuzz
