# SPDX-License-Identifier: BSD-2-Clause
# The engine's random work at length: the host test mm_engine_test built for speed, with UBSan alone.  Included by the Makefile behind the
# host tests, whose lists it needs.
QUICK_FLAGS = $(filter-out -O1,$(HOST_FLAGS)) -O2 -fsanitize=undefined -fno-sanitize-recover=all
quick_O := $(HOST_SRCS:%.c=$(B)/quick/%.o) $(B)/libraries.o

$(B)/quick/%.o: %.c $(GENERATED) Makefile tests/stress/engine.mk
	@mkdir -p $(@D)
	@$(CC) $(QUICK_FLAGS) -c $< -o $@
$(B)/quick/mm/key_avx2.o: QUICK_FLAGS += -mavx2

$(B)/quick/libhost.a: $(quick_O)
	@rm -f $@; ar rcs $@ $^

$(B)/quick/mm_engine_test: $(patsubst %.c,$(B)/quick/%.o,tests/unit/mm_engine_test.c $(call support_of,tests/unit/mm_engine_test.c)) $(B)/quick/libhost.a
	@echo "  LINK    $@"
	@$(CC) -fsanitize=undefined -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lpthread

# 20 runs of 500,000 operations, two at a time, from seeds that nobody has seen; each prints its own.
ENGINE_STRESS_RUNS ?= 10
## make stress-engine  ten million random operations of the memory engine, in a quarter of an hour
stress-engine: $(B)/quick/mm_engine_test
	@now=$$(date +%s); tools/run-tests \
		"ENGINE_SEED=$${now}0 ENGINE_RUNS=$(ENGINE_STRESS_RUNS) ENGINE_OPERATIONS=500000 $<" \
		"ENGINE_SEED=$${now}5000 ENGINE_RUNS=$(ENGINE_STRESS_RUNS) ENGINE_OPERATIONS=500000 $<"

.PHONY: stress-engine
