# SPDX-License-Identifier: BSD-2-Clause
# What of mm/ its host tests execute: the tests that run in one thread, built with gcov's counters in mm/ alone.  Included by the Makefile
# behind the host tests, whose lists it needs.
COUNTED_FLAGS = $(filter-out $(WARNINGS) -O1,$(HOST_FLAGS)) -w -O0
counted_O := $(HOST_SRCS:%.c=$(B)/counted/%.o) $(B)/libraries.o
COUNTED := $(patsubst tests/unit/%.c,$(B)/counted/%,$(filter-out %_threads_test.c,$(wildcard tests/unit/mm_*_test.c tests/unit/cipher_test.c)))

$(B)/counted/%.o: %.c $(GENERATED) Makefile tests/unit/coverage.mk
	@mkdir -p $(@D)
	@$(CC) $(COUNTED_FLAGS) $(if $(filter mm/%,$<),--coverage) -c $< -o $@
$(B)/counted/mm/key_avx2.o: COUNTED_FLAGS += -mavx2

$(B)/counted/libhost.a: $(counted_O)
	@rm -f $@; ar rcs $@ $^

$(foreach test,$(COUNTED),$(eval $(test): $$(patsubst %.c,$(B)/counted/%.o,$$(call support_of,$(test:$(B)/counted/%=tests/unit/%.c)))))

$(B)/counted/%_test: $(B)/counted/tests/unit/%_test.o $(B)/counted/libhost.a
	@echo "  LINK    $@"
	@$(CC) --coverage -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lZydis -lpthread -lm

## make coverage     which lines and branches of mm/ its tests execute; needs gcovr (installed here)
coverage: $(COUNTED)
	@tools/install-packages tools/packages-coverage
	@tools/coverage $(B)/counted $(COUNTED)

.PHONY: coverage
