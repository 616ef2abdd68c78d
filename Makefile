# SPDX-License-Identifier: BSD-2-Clause
# Aerostat.  `make run` boots two Debian guests; `make test` runs every test; `make help` lists the rest.
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

B := build
CC := gcc
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror
COMMON := -std=gnu17 -g -I$(B)/gen $(WARNINGS) -MMD -MP -DAEROSTAT_VERSION='"$(VERSION)"' $(if $(RELEASE),-DAEROSTAT_RELEASE)
KERNEL_CFLAGS := -I. $(COMMON) -O2 -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mgeneral-regs-only -mno-red-zone -mpreferred-stack-boundary=3 \
	-fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing \
	-fstack-protector-strong -mstack-protector-guard=global -fno-tree-loop-distribute-patterns
KERNEL_LDFLAGS := -nostdlib -static -no-pie -z max-page-size=4096 -z noexecstack --build-id=none -T linker.ld

# ---- the kernel: every room below is compiled whole ----
ROOMS := kernel kernel/lib kernel/x86 kernel/core kernel/shell mm vmx vmx/exits devices drivers storage
# Faults on purpose are for debug builds.
KERNEL_C := $(filter-out vmx/offsets.c $(if $(RELEASE),kernel/core/provoke.c),$(foreach room,$(ROOMS),$(wildcard $(room)/*.c)))
KERNEL_ASM := $(foreach room,$(ROOMS),$(wildcard $(room)/*.asm))
KERNEL_O := $(KERNEL_C:%.c=$(B)/kernel/%.o) $(KERNEL_ASM:%.asm=$(B)/kernel/%.asm.o)

## make              the image, build/aerostat.img: two Debian guests
all: $(B)/aerostat.img

# First, so that generated files are known to the rules below.
include $(wildcard */*.mk)

$(B)/kernel/%.o: %.c $(GENERATED) Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(KERNEL_CFLAGS) -c $< -o $@

$(B)/kernel/%.asm.o: %.asm $(B)/gen/offsets.inc Makefile
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf64 -g -F dwarf -Werror -I $(B)/gen/ -I ./ -MD $(@:.o=.d) -MP $< -o $@

# The keys of pages: integer code for everywhere, vector code for between simd_begin and simd_end.
$(B)/kernel/mm/key.o: KERNEL_CFLAGS += -O3
$(B)/kernel/mm/key_avx2.o: KERNEL_CFLAGS := $(filter-out -mgeneral-regs-only,$(KERNEL_CFLAGS)) -O3 -mavx2
$(B)/asan/mm/key_avx2.o $(B)/tsan/mm/key_avx2.o: HOST_FLAGS += -mavx2
$(B)/fuzz/mm/key_avx2.o: FUZZ_FLAGS += -mavx2

# Members of Debian's static libraries, as one object for the kernel and the host; what they need beside is kernel/lib's, libc.c's and cipher.c's.
crypto_TAKEN := libcrypto-lib-aesni-x86_64.o libcrypto-lib-ghash-x86_64.o
lz4_TAKEN := lz4.o
LIBRARIES := crypto lz4
$(B)/libraries.o: Makefile
	@rm -rf $(B)/libraries && mkdir -p $(B)/libraries
	@echo "  LD      $@"
	@$(foreach name,$(LIBRARIES),ar x --output $(B)/libraries $(shell $(CC) -print-file-name=lib$(name).a) $($(name)_TAKEN) &&) true
	@ld -r -o $@ $(foreach name,$(LIBRARIES),$($(name)_TAKEN:%=$(B)/libraries/%))

# Their code wants the stack on 16 bytes, which ours is not.
$(B)/kernel/mm/cipher.o $(B)/kernel/mm/compress.o: KERNEL_CFLAGS := $(filter-out -mpreferred-stack-boundary=%,$(KERNEL_CFLAGS)) -mpreferred-stack-boundary=4 -mincoming-stack-boundary=3

# Structure offsets for the assembly, computed by the C compiler: lines "->%define NAME value" in its output.
$(B)/gen/offsets.inc: vmx/offsets.c $(wildcard vmx/*.h kernel/*/*.h) Makefile
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	@$(CC) $(KERNEL_CFLAGS) -MF $(B)/gen/offsets.d -S $< -o $(B)/gen/offsets.s
	@sed -n 's/^.*->%define \([A-Z0-9_]*\) [$$]*\(-\{0,1\}[0-9]*\).*/%define \1 \2/p' $(B)/gen/offsets.s > $@
	@test -s $@

$(B)/aerostat.elf: $(KERNEL_O) $(B)/libraries.o linker.ld
	@echo "  LD      $@"
	@ld $(KERNEL_LDFLAGS) -o $@ $(KERNEL_O) $(B)/libraries.o

# ---- host tests: one program per tests/unit/*_test.c, against the pure sources ----
HOST_FLAGS := -Itests/unit/fake -I. $(COMMON) -O1 -fno-omit-frame-pointer -DAEROSTAT_HOST
HOST_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_SRCS := kernel/sched.c $(filter-out kernel/lib/string.c,$(wildcard kernel/lib/*.c)) $(wildcard mm/*.c devices/*.c kernel/shell/*.c) \
	kernel/core/kept.c kernel/core/step.c kernel/core/trace.c kernel/core/timer.c kernel/core/random.c kernel/core/wire.c kernel/x86/acpi.c kernel/x86/mcheck_class.c $(wildcard drivers/*.c) boot/memmap.c $(filter-out vmx/offsets.c,$(wildcard vmx/*.c vmx/exits/*.c)) \
	$(wildcard kernel/load*.c)
HOST_SRCS := $(filter-out $(HOST_EXCLUDE),$(wildcard $(HOST_SRCS)))
# A test links the fakes whose headers it includes, itself or by one of them: two fakes may stand for the same thing.
SUPPORT := tests/unit/support/fake_cpu.c tests/unit/support/host.c
support_headers = $(shell grep -ho 'tests/unit/support/[a-z_]*\.h' $(1))
support_of = $(sort $(SUPPORT) $(wildcard $(patsubst %.h,%*.c,$(call support_headers,$(1) $(call support_headers,$(1))))))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*_test.c))
UNIT := $(UNIT_TESTS) $(patsubst tests/fuzz/%.c,$(B)/unit/%,$(wildcard tests/fuzz/*_fuzz.c))
asan_O := $(HOST_SRCS:%.c=$(B)/asan/%.o) $(B)/libraries.o
tsan_O := $(HOST_SRCS:%.c=$(B)/tsan/%.o) $(B)/libraries.o

$(B)/asan/%.o: %.c $(GENERATED) Makefile
	@mkdir -p $(@D)
	@$(CC) $(HOST_FLAGS) $(HOST_SAN) -c $< -o $@

$(B)/tsan/%.o: %.c $(GENERATED) Makefile
	@mkdir -p $(@D)
	@$(CC) $(HOST_FLAGS) -fsanitize=thread -Wno-tsan -c $< -o $@

# Archives, so that each test links only what it reaches; what cannot be compiled for the host is not listed above.
$(B)/asan/libhost.a: $(asan_O)
	@rm -f $@; ar rcs $@ $^

$(B)/tsan/libhost.a: $(tsan_O)
	@rm -f $@; ar rcs $@ $^

$(foreach test,$(UNIT_TESTS),$(eval $(test): $$(patsubst %.c,$(B)/$(if $(filter %_threads_test,$(test)),tsan,asan)/%.o,\
	$$(call support_of,$(test:$(B)/%=tests/%.c)))))

$(B)/unit/%_threads_test: $(B)/tsan/tests/unit/%_threads_test.o $(B)/tsan/libhost.a
	@mkdir -p $(@D); echo "  LINK    $@"
	@$(CC) -fsanitize=thread -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lpthread

$(B)/unit/%_test: $(B)/asan/tests/unit/%_test.o $(B)/asan/libhost.a
	@mkdir -p $(@D); echo "  LINK    $@"
	@$(CC) $(HOST_SAN) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lZydis -lpthread -lm

include tests/fuzz/fuzz.mk
include tests/sim/sim.mk
include tests/stress/engine.mk
include tests/unit/coverage.mk

## make unit         the host tests, and what fuzzers ever found
unit: $(UNIT)
	@tools/run-unit $(UNIT)

unit-programs: $(UNIT)

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)

## make help         this list
help:
	@sed -n 's/^## //p' */*.mk tests/fuzz/fuzz.mk tests/sim/sim.mk tests/stress/engine.mk tests/unit/coverage.mk Makefile

## make clean        forget everything built
clean:
	rm -rf $(B)

.PHONY: all unit unit-programs help clean
