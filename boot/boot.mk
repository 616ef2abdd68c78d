# SPDX-License-Identifier: BSD-2-Clause
# The UEFI application: an ELF shared object of GNU-EFI's layout, turned into PE by objcopy.
# Of kernel/lib it links what it names here; console.c has the check_failed() that they call.
BOOT_C := $(wildcard boot/*.c) $(addprefix kernel/lib/,config.c config_keys.c elf.c error.c format.c string.c)
BOOT_O := $(BOOT_C:%.c=$(B)/boot/%.o) $(B)/boot/boot/handover.asm.o
EFI_LIB ?= /usr/lib
BOOT_CFLAGS := -I. -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 $(COMMON) -O2 -ffreestanding -fpic -fshort-wchar \
	-fno-stack-protector -fno-strict-aliasing -fcf-protection=none -mno-red-zone -mgeneral-regs-only -maccumulate-outgoing-args \
	-fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fvisibility=hidden -DGNU_EFI_USE_MS_ABI
BOOT_SECTIONS := $(foreach s,.text .sdata .data .dynamic .rodata .rel .rela .rel.* .rela.* .reloc,-j $(s))

$(B)/boot/%.o: %.c $(GENERATED) Makefile boot/boot.mk
	@mkdir -p $(@D)
	@echo "  CC      $< (boot)"
	@$(CC) $(BOOT_CFLAGS) -c $< -o $@

$(B)/boot/boot/handover.asm.o: boot/handover.asm boot/boot.mk
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf64 -Werror $< -o $@

$(B)/boot/loader.so: $(BOOT_O)
	@ld -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined -z noexecstack -T $(EFI_LIB)/elf_x86_64_efi.lds \
		$(EFI_LIB)/crt0-efi-x86_64.o $^ $(EFI_LIB)/libgnuefi.a -o $@

$(B)/BOOTX64.EFI: $(B)/boot/loader.so
	@echo "  EFI     $@"
	@objcopy $(BOOT_SECTIONS) --target efi-app-x86_64 --subsystem=10 $< $@
