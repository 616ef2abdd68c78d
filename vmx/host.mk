# SPDX-License-Identifier: BSD-2-Clause
# Of vmx/ these drive the processor and are nothing without one; the rest is tested on the host, over an array of VMCS fields.
HOST_EXCLUDE += $(addprefix vmx/,caps.c dump.c on.c run.c setup.c switch.c vcpu.c)
