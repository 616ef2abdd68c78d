# SPDX-License-Identifier: BSD-2-Clause
# Tiny guests, checkers, emulator tests and benchmarks; included by the Makefile.

GUEST_CFLAGS := -I. $(COMMON) -O2 -ffreestanding -fno-pic -fno-pie -mcmodel=small -mgeneral-regs-only -mno-red-zone \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing \
	-fno-tree-loop-distribute-patterns
GUEST_LIB_C := $(wildcard tests/guests/lib/*.c) kernel/lib/string.c kernel/lib/format.c
GUEST_LIB_ASM := $(wildcard tests/guests/lib/*.asm)
GUEST_LIB_O := $(GUEST_LIB_C:%.c=$(B)/guest/%.o) $(GUEST_LIB_ASM:%.asm=$(B)/guest/%.asm.o)
# A guest is one file, or a folder of files.
GUEST_NAMES := $(patsubst tests/guests/%.c,%,$(wildcard tests/guests/*.c)) \
	$(filter-out lib,$(patsubst tests/guests/%/,%,$(wildcard tests/guests/*/)))
GUESTS := $(GUEST_NAMES:%=$(B)/guests/%.elf)

$(B)/guest/%.o: %.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	@echo "  GUEST   $<"
	@$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(B)/guest/%.asm.o: %.asm tests/tests.mk
	@mkdir -p $(@D)
	@nasm -f elf64 -Werror -I ./ -MD $(@:.o=.d) -MP $< -o $@

define guest_rule
$(B)/guest/$(1).elf64: $(patsubst %.c,$(B)/guest/%.o,$(wildcard tests/guests/$(1).c tests/guests/$(1)/*.c)) \
		$(patsubst %.asm,$(B)/guest/%.asm.o,$(wildcard tests/guests/$(1)/*.asm)) $(GUEST_LIB_O) tests/guests/lib/guest.ld
	@ld -nostdlib -static -no-pie -z max-page-size=4096 -z noexecstack --build-id=none -T tests/guests/lib/guest.ld \
		-o $$@ $$(filter %.o,$$^)
endef
$(foreach guest,$(GUEST_NAMES),$(eval $(call guest_rule,$(guest))))

# Multiboot loaders take ELF32 only; the code inside is 64-bit all the same.
$(B)/guests/%.elf: $(B)/guest/%.elf64
	@mkdir -p $(@D)
	@objcopy -O elf32-i386 $< $@
	@echo "  ELF32   $@"

## make guests       the tiny guests of tests/guests, to build/guests/*.elf
guests: $(GUESTS)

# ---- programs that play firmware ----
# As the loader is built (boot/boot.mk), and with GNU-EFI's library.
$(B)/efi/locked.efi: EFI_FLAGS := -DLOCK_BOOT_CPU=1
$(B)/efi/locked_others.efi: EFI_FLAGS := -DLOCK_BOOT_CPU=0
$(B)/efi/locked.efi $(B)/efi/locked_others.efi: tests/efi/locked.c boot/boot.mk tests/tests.mk
	@mkdir -p $(@D)
	@echo "  EFI     $@"
	@$(CC) $(BOOT_CFLAGS) $(EFI_FLAGS) -c $< -o $(@:.efi=.o)
	@ld -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined -z noexecstack -T $(EFI_LIB)/elf_x86_64_efi.lds \
		$(EFI_LIB)/crt0-efi-x86_64.o $(@:.efi=.o) $(EFI_LIB)/libefi.a $(EFI_LIB)/libgnuefi.a -o $(@:.efi=.so)
	@objcopy $(BOOT_SECTIONS) --target efi-app-x86_64 --subsystem=10 $(@:.efi=.so) $@

# ---- Linux guests of tests/emu/linux.conf ----
$(B)/guests/vmlinux: $(B)/guests/vmlinuz tools/demo/extract-kernel
	@echo "  EXTRACT $@"
	@tools/demo/extract-kernel $< $@

# A program of tests/linux, and an initial file system that holds it beside the demonstration's.
$(B)/linux/bin/%: tests/linux/%.c
	@mkdir -p $(@D)
	@echo "  LINUX   $@"
	@$(CC) -std=gnu17 -O2 $(WARNINGS) -static -o $@ $<
$(B)/guests/%.img: $(B)/linux/bin/% $(B)/guests/initrd.img
	@(cat $(B)/guests/initrd.img; cd $(B)/linux && echo bin/$* | cpio --quiet -o -H newc -R 0:0) >$@
$(B)/linux.img: $(B)/guests/vmlinux $(B)/guests/clocks.img

# ---- everything ----
# One job for each emulator test module, the longest first: two jobs run side by side.
PYTEST := /usr/bin/python3 -m pytest -q -rf --tb=short -p no:cacheprovider
EMU_PARTS := $(patsubst tests/emu/%.conf,$(B)/%.img,$(wildcard tests/emu/*.conf)) $(B)/efi/locked.efi $(B)/efi/locked_others.efi
EMU_LONG := $(addprefix tests/emu/,test_debian.py test_linux.py test_hostile.py test_tiny.py test_machines.py)
EMU_TESTS := $(EMU_LONG) $(filter-out $(EMU_LONG),$(wildcard tests/emu/test_*.py))

## make test         every test, at most 25 minutes on two cores
test: packages
	@$(MAKE) --no-print-directory -j2 all $(EMU_PARTS) unit-programs
	@tools/run-tests $(EMU_TESTS:%="$(PYTEST) %") "$(MAKE) -s unit" $(CHECKS:%="$(MAKE) -s %")

## make emu          the emulator tests alone; make emu-NAME one module, tests/emu/test_NAME.py
emu: $(B)/aerostat.img $(EMU_PARTS)
	@tools/run-tests $(EMU_TESTS:%="$(PYTEST) %")
emu-%: $(B)/aerostat.img $(EMU_PARTS)
	@$(PYTEST) tests/emu/test_$*.py

## make bench        the figures of a release build: build/bench/NAME.json and a table each
bench:
	@$(MAKE) --no-print-directory $(B)/boot.img
	@$(MAKE) --no-print-directory RELEASE=1 B=$(B)/release bench-all
MEASURE = --built $(B) --compiler "$(CC) $$($(CC) -dumpfullversion)" --flags '$(subst ",,$(subst ',,$(KERNEL_CFLAGS)))'
bench-all: bench-exits bench-boot bench-size bench-share
bench-exits: $(B)/exits.img $(B)/exits_off.img
	@tests/bench/exits $(MEASURE)
bench-boot: $(B)/boot.img $(B)/bare.img
	@tests/bench/boot $(MEASURE)
bench-size: $(B)/aerostat.elf
	@tests/bench/size $(MEASURE)
bench-share: $(B)/share/ours $(B)/share/ksm
	@tests/bench/share/dumps build/bench/share
	@tests/bench/share/compare $(MEASURE)

include tests/bench/share/share.mk

# A boot on the bare machine, for comparison: the same files, but Linux instead of the kernel.
BARE_C := tests/bench/bare/bare.c $(wildcard kernel/load*.c) $(addprefix kernel/lib/,config.c config_keys.c error.c format.c string.c)
$(B)/bare.elf: $(BARE_C:%.c=$(B)/kernel/%.o) $(B)/kernel/kernel/x86/entry.asm.o linker.ld
	@echo "  LD      $@"
	@ld $(KERNEL_LDFLAGS) -o $@ $(filter %.o,$^)

# The demonstration's file system with another first process: the later archive wins.
$(B)/guests/measured.img: $(B)/guests/initrd.img tests/bench/init.c
	@mkdir -p $(B)/measured && $(CC) -O2 -Wall -Wextra -Werror -static -o $(B)/measured/init tests/bench/init.c
	@echo "  INITRD  $@"
	@cd $(B)/measured && echo init | cpio --quiet -o -H newc -R 0:0 --reproducible | cat $(abspath $<) - > $(abspath $@)

$(B)/boot.img $(B)/bare.img: tests/bench/boot.txt $(B)/guests/measured.img
$(B)/bare.img: tests/bench/boot.conf $(B)/bare.elf $(IMAGE_PARTS) $(DEMO)
	@echo "  IMAGE   $@"
	@tools/mkimage --built $(B) --kernel $(B)/bare.elf --conf $< --out $@

## make stress       what takes long: twenty lives of a guest, planted faults, ten million operations of the memory engine, a million machines to divide, then a minute of each fuzzer (needs clang: installed here)
stress: $(B)/aerostat.img $(B)/tiny.img
	@tools/install-packages tools/packages-stress
	@$(PYTEST) -s tests/stress
	@$(MAKE) --no-print-directory mutations
	@$(MAKE) --no-print-directory stress-engine
	@ALLOC_MACHINES=1000000 $(B)/unit/mm_alloc_test
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=60

.PHONY: guests test emu bench bench-all bench-exits bench-boot bench-size bench-share stress
