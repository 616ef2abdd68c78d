# SPDX-License-Identifier: BSD-2-Clause
# Sharing beside Linux's KSM; included by tests/tests.mk.

# mm/ as the kernel is built, but for where it lies, for its stack's guard, and for the CPU, which is a thread.
SHARE_MM_FLAGS = -Itests/unit/fake $(filter-out -mcmodel=kernel -mno-red-zone -mpreferred-stack-boundary=3 \
	-mstack-protector-guard=global,$(KERNEL_CFLAGS)) -DAEROSTAT_RELEASE
SHARE_MM_C := $(wildcard mm/*.c) $(addprefix kernel/lib/,error.c format.c lock.c log.c string.c)
SHARE_MM_O := $(SHARE_MM_C:%.c=$(B)/share/%.o)
SHARE_HOST_FLAGS := -Itests/unit/fake -I. $(COMMON) -O2 -DAEROSTAT_RELEASE

$(B)/share/mm/key.o: SHARE_MM_FLAGS += -O3
$(B)/share/mm/key_avx2.o: SHARE_MM_FLAGS := $(filter-out -mgeneral-regs-only,$(SHARE_MM_FLAGS)) -O3 -mavx2
$(SHARE_MM_O): $(B)/share/%.o: %.c $(GENERATED) Makefile tests/bench/share/share.mk
	@mkdir -p $(@D)
	@$(CC) $(SHARE_MM_FLAGS) -c $< -o $@

$(B)/share/tests/%.o: tests/%.c $(GENERATED) Makefile tests/bench/share/share.mk
	@mkdir -p $(@D)
	@$(CC) $(SHARE_HOST_FLAGS) -c $< -o $@

$(B)/share/ours: $(SHARE_MM_O) $(B)/share/tests/bench/share/ours.o $(B)/share/tests/bench/share/machine.o $(B)/libraries.o
	@echo "  LINK    $@"
	@$(CC) -no-pie -o $@ $^

$(B)/share/ksm: $(B)/share/tests/bench/share/ksm.o
	@echo "  LINK    $@"
	@$(CC) -o $@ $^
