# SPDX-License-Identifier: BSD-2-Clause
# Mutation tests: make says what it would call, tests/mutations/plant.py calls it for a changed source.
mutant_kind = $(if $(filter %_threads_test,$(1)),tsan,asan)
mutant_flags_asan = $(HOST_SAN)
mutant_flags_tsan = -fsanitize=thread -Wno-tsan

## make mutations    plant faults in mm/, vmx/ and step.c: does each test notice?
mutations: unit-programs
	@tests/mutations/run

mutation-kernel:
	$(info compiler: $(CC) $(KERNEL_CFLAGS))
	$(info linker: ld $(KERNEL_LDFLAGS))
	$(info objects: $(KERNEL_O))
	@:

mutation-%_test:
	$(info compiler: $(CC) $(HOST_FLAGS) $(mutant_flags_$(call mutant_kind,$*_test)))
	$(info linker: $(CC) $(mutant_flags_$(call mutant_kind,$*_test)))
	$(info objects: $(patsubst %.c,$(B)/$(call mutant_kind,$*_test)/%.o,tests/unit/$*_test.c $(call support_of,tests/unit/$*_test.c)))
	$(info libraries: $(B)/$(call mutant_kind,$*_test)/libhost.a -lcmocka -lZydis -lpthread -lm)
	@:

.PHONY: mutations mutation-kernel
