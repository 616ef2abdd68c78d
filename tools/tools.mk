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

.PHONY: run packages boot

## make check        the checkers: direction of includes, headers that stand alone, sizes, READMEs
CHECKS := check-includes check-headers check-boot-headers check-sizes check-readmes
check: $(CHECKS)

# For preprocessor and parser alone: nothing is written.
HEADERS = $(wildcard $(addsuffix /*.h,$(ROOMS))) boot/bootinfo.h boot/memmap.h $(wildcard tests/guests/lib/*.h)
check-headers: $(GENERATED)
	@tools/check-headers $(CC) $(filter-out -M%,$(KERNEL_CFLAGS)) -- $(HEADERS)
check-boot-headers:
	@tools/check-headers $(CC) $(filter-out -M%,$(BOOT_CFLAGS)) -- $(wildcard boot/*.h)
check-includes: $(GENERATED)
check-includes check-sizes check-readmes:
	@tools/$@

.PHONY: check $(CHECKS)
