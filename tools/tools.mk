# SPDX-License-Identifier: BSD-2-Clause
# Disk images, the demonstration's guests, emulator runs.
DEMO := $(B)/guests/vmlinuz $(B)/guests/initrd.img
IMAGE_PARTS := $(B)/aerostat.elf $(B)/BOOTX64.EFI tools/mkimage

# Equal inputs give the same package until Debian updates it; `make clean` fetches again.
$(B)/guests/vmlinuz: tools/demo/fetch-kernel
	@tools/demo/fetch-kernel $(B)/guests

$(B)/guests/initrd.img: $(B)/guests/vmlinuz tools/demo/make-initrd tools/demo/init tools/demo/power-button
	@echo "  INITRD  $@"
	@tools/demo/make-initrd $(B)/guests $@

$(B)/aerostat.img: tools/demo/aerostat.conf $(IMAGE_PARTS) $(DEMO)
	@echo "  IMAGE   $@"
	@tools/mkimage --conf $< --out $@

# tests/emu/NAME.conf with the tiny guests.
$(B)/%.img: tests/emu/%.conf $(IMAGE_PARTS) $(GUESTS)
	@echo "  IMAGE   $@"
	@tools/mkimage --conf $< --out $@

## make boot         the inner loop: build, boot in an emulator, stop at the prompt or a panic
boot: $(B)/tiny.img
	@tools/emulate --image $< --stop-on 'aerostat> ' --timeout 180

.PHONY: boot
