# SPDX-License-Identifier: BSD-2-Clause
# The simulator: each tests/sim/NAME.c that has a main() is an experiment, a host program at -O2 over the kernel's own mm/.  It writes
# build/sim/NAME.csv, NAME.gnuplot makes build/sim/NAME.png of it.  Included by the Makefile behind the host tests, whose lists it needs.
SIM := overcommit victims active sampling tax iopage collide scale
SIM_SUPPORT := $(addprefix tests/sim/,platform_sim.c guest.c os.c report.c) $(SUPPORT)
SIM_SRCS := $(filter-out kernel/lib/string.c,$(wildcard kernel/lib/*.c)) $(wildcard mm/*.c)
SIM_FLAGS := $(filter-out -O1,$(HOST_FLAGS)) -O2

$(B)/simobj/mm/key_avx2.o: SIM_FLAGS += -mavx2
$(B)/simobj/%.o: %.c $(GENERATED) Makefile tests/sim/sim.mk
	@mkdir -p $(@D)
	@$(CC) $(SIM_FLAGS) -c $< -o $@

$(B)/simobj/libsim.a: $(SIM_SRCS:%.c=$(B)/simobj/%.o) $(SIM_SUPPORT:%.c=$(B)/simobj/%.o)
	@rm -f $@; ar rcs $@ $^

$(B)/sim/bin/%: $(B)/simobj/tests/sim/%.o $(B)/simobj/libsim.a $(B)/libraries.o
	@mkdir -p $(@D); echo "  LINK    $@"
	@$(CC) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lm

$(B)/unit/sim_test: $(B)/asan/tests/sim/sim_test.o $(patsubst %.c,$(B)/asan/%.o,$(SIM_SUPPORT)) $(B)/asan/libhost.a
	@mkdir -p $(@D); echo "  LINK    $@"
	@$(CC) $(HOST_SAN) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lm
UNIT += $(B)/unit/sim_test

sim-%: $(B)/sim/bin/%
	@$< $(B)/sim >$(B)/sim/$*.txt || { cat $(B)/sim/$*.txt; false; }
	@gnuplot -e 'dir="$(B)/sim"' tests/sim/$*.gnuplot

## make sim          the engine under simulated guests, on the host: the paper's figures and more, to build/sim/NAME.csv and .png
sim: $(SIM:%=$(B)/sim/bin/%)
	@command -v gnuplot >/dev/null || tools/install-packages
	@tools/run-tests $(SIM:%="$(MAKE) -s sim-%") "$(MAKE) -s sim-again"; status=$$?; cat $(SIM:%=$(B)/sim/%.txt); exit $$status

# The same seed, the same bytes.
sim-again: $(B)/sim/bin/active
	@mkdir -p $(B)/sim/again/1 $(B)/sim/again/2
	@$< $(B)/sim/again/1 >$(B)/sim/again/1/txt && $< $(B)/sim/again/2 >$(B)/sim/again/2/txt && cmp $(B)/sim/again/1/active.csv $(B)/sim/again/2/active.csv

.PHONY: sim sim-again
