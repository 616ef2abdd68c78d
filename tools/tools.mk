# SPDX-License-Identifier: BSD-2-Clause
# Disk images, the demonstration's guests, emulator runs.
DEMO := $(B)/guests/vmlinuz $(B)/guests/initrd.img
IMAGE_PARTS := $(B)/aerostat.elf $(B)/BOOTX64.EFI tools/mkimage

# Fetched once: `make clean` forgets it.
$(B)/guests/vmlinuz:
	@tools/demo/fetch-kernel $(B)/guests

$(B)/guests/initrd.img: $(B)/guests/vmlinuz tools/demo/make-initrd tools/demo/init tools/demo/power-button
	@echo "  INITRD  $@"
	@tools/demo/make-initrd $(B)/guests $@

$(B)/aerostat.img: tools/demo/aerostat.conf $(IMAGE_PARTS) $(DEMO)
	@echo "  IMAGE   $@"
	@tools/mkimage --built $(B) --conf $< --out $@

# With the tiny guests.
$(B)/%.img: tests/emu/%.conf $(IMAGE_PARTS) $(GUESTS)
	@echo "  IMAGE   $@"
	@tools/mkimage --built $(B) --conf $< --out $@

$(B)/%.img: tests/bench/%.conf $(IMAGE_PARTS) $(GUESTS) $(DEMO)
	@echo "  IMAGE   $@"
	@tools/mkimage --built $(B) --conf $< --out $@

## make run          build everything and boot two Debian guests; Ctrl-A x ends it
run: packages
	@$(MAKE) --no-print-directory -j2 $(B)/aerostat.img
	@tools/emulate --image $(B)/aerostat.img

# What the machine lacks of tools/packages.
packages:
	@tools/install-packages

## make boot         the inner loop: build, boot in an emulator, stop at the prompt or a panic
boot: $(B)/tiny.img
	@tools/emulate --image $< --stop-on 'aerostat> ' --timeout 180

## make picture      docs/images/console.png anew: two guests run, and the console's tables
$(B)/screen: tools/screen.c drivers/painter.c drivers/terminal.c $(GENERATED)
	@$(CC) -I. $(filter-out -MMD -MP,$(COMMON)) -O1 -DAEROSTAT_HOST -o $@ $(filter %.c,$^)

picture: $(B)/screen $(B)/aerostat.img
	@tools/screenshot --image $(B)/aerostat.img --program $< --out docs/images/console.png --columns 112 --rows 38 \
		--send 'wait web1 web1: ready' --send 'wait web2 web2: ready' --send 'vm list' --send mem --send 'stats web1'

.PHONY: run packages boot picture

## make check        the checkers: includes, headers that stand alone, sizes, READMEs, the manual, format, cppcheck
CHECKS := check-includes check-headers check-boot-headers check-sizes check-readmes check-manual format-check cppcheck
check: $(CHECKS)

# For preprocessor and parser alone: nothing is written.
HEADERS = $(wildcard $(addsuffix /*.h,$(ROOMS))) boot/bootinfo.h boot/memmap.h $(wildcard tests/guests/lib/*.h)
check-headers: $(GENERATED)
	@tools/check-headers $(CC) $(filter-out -M%,$(KERNEL_CFLAGS)) -- $(HEADERS)
check-boot-headers:
	@tools/check-headers $(CC) $(filter-out -M%,$(BOOT_CFLAGS)) -- $(wildcard boot/*.h)
check-includes: $(GENERATED)
check-includes check-sizes check-readmes check-manual:
	@tools/$@

## make measure      how readable the code is, against what it shall be
measure:
	@tools/check-sizes --figures

# ---- other people's checkers ----
FORMATTED = $(shell git ls-files '*.c' '*.h')
## make format       every C file as .clang-format says
format:
	@clang-format -i $(FORMATTED)
format-check:
	@clang-format --dry-run -Werror $(FORMATTED) && echo "format-check: $(words $(FORMATTED)) files, 0 wrong"

# What its parser cannot follow is in cppcheck.suppress, with the reason.
cppcheck: $(GENERATED)
	@cppcheck -j2 --quiet --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
		-I. -I$(B)/gen -D__x86_64__ --include=/usr/include/x86_64-linux-gnu/sys/queue.h \
		--suppressions-list=tools/cppcheck.suppress $(wildcard boot $(ROOMS)) && echo "cppcheck: 0 wrong"

# Minutes: not in make test.  gcc's own options say nothing to clang.
TIDY_FLAGS = $(filter-out -M% -mpreferred-stack-boundary=% -mstack-protector-guard=% -fno-tree-loop-distribute-patterns -W%,$(KERNEL_CFLAGS))
tidy: $(GENERATED)
	@printf '%s\n' $(KERNEL_C) | xargs -P2 -n4 sh -c 'clang-tidy --quiet "$$@" -- $(subst ','\'',$(TIDY_FLAGS))' tidy && echo "tidy: 0 wrong"

## make lint         clang-format, cppcheck and (minutes) clang-tidy
lint: format-check cppcheck tidy

.PHONY: check $(CHECKS) measure format tidy lint
