# SPDX-License-Identifier: BSD-2-Clause
# The screen's fonts, out of a Debian package (Spleen, BSD-2-Clause), become a C table: build/gen/drivers/font.h.
FONTS := $(foreach size,8x16 16x32,/usr/share/consolefonts/spleen-$(size).psfu.gz)
GENERATED += $(B)/gen/drivers/font.h

# The package's files are named where they are used only: `make packages` must work without them.
$(B)/gen/drivers/font.h: tools/psf.py drivers/drivers.mk
	@mkdir -p $(@D)
	@echo "  FONT    $@"
	@tools/psf.py $(FONTS) > $@
