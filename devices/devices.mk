# SPDX-License-Identifier: BSD-2-Clause
# ACPI source becomes a C array: devices/acpi/NAME.asl → build/gen/devices/acpi/NAME.h with `NAME_aml_code`.
ACPI_ASL := $(wildcard devices/acpi/*.asl)
ACPI_H := $(ACPI_ASL:%.asl=$(B)/gen/%.h)
GENERATED += $(ACPI_H)

$(B)/gen/devices/acpi/%.h: devices/acpi/%.asl
	@mkdir -p $(@D)
	@echo "  IASL    $<"
	@iasl -we -tc -p $(@:.h=) $< > $(@:.h=.log) || { cat $(@:.h=.log); exit 1; }
	@sed 's/^unsigned char/static const unsigned char/' $(@:.h=.hex) > $@
