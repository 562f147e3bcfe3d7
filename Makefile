# SPDX-License-Identifier: GPL-2.0-or-later
# One makefile for all. Everything that is made goes to build/, which mirrors the sources.
#
#   make V=1                      show the commands
#   make SAN=address,undefined    with sanitizers, in build/san
#   make CC=clang                 with another compiler

.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

VERSION := 0.1.0
PREFIX ?= /usr
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
CLANG ?= clang
BPFTOOL ?= $(firstword $(shell command -v bpftool /usr/sbin/bpftool 2>/dev/null) bpftool)
SAN ?=
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n')

# The skeleton is one for all builds; objects differ by compiler flags.
BUILD := build
OUT := $(BUILD)$(if $(SAN),/san)$(if $(filter gcc,$(CC)),,/$(notdir $(CC)))

LIBRARIES := libbpf libelf json-c inih smartcols libcgroup libxml-2.0 hwloc libsystemd libudev libmd ncursesw
PKG_CFLAGS := $(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(LIBRARIES) 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wundef -Wvla -Werror
CPPFLAGS += -I. -D_GNU_SOURCE -DCPUWARDEN_VERSION='"$(VERSION)"' $(PKG_CFLAGS)
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARNINGS) -fstack-protector-strong \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer,-D_FORTIFY_SOURCE=2)
ALL_LDFLAGS := $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN),-Wl,-z,relro,-z,now)

SKELETONS := $(BUILD)/bpf/observer.skel.h
ROOMS := user/base user/model user/report user/host user/observer user/store user/control user/daemon cgroups
LIB_SOURCES := $(sort $(foreach room,$(ROOMS),$(wildcard $(room)/*.c)))
CLI_SOURCES := $(sort $(wildcard user/cli/*.c))
UNIT_SOURCES := $(sort $(wildcard tests/unit/*_test.c))
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(OUT)/%)
HELPER_SOURCES := $(sort $(wildcard tests/vm/helpers/*.c))
HELPERS := $(HELPER_SOURCES:%.c=$(OUT)/%)
GUESTS := $(patsubst %,$(BUILD)/tests/vm/guest/%.bin,spin tick calm work ring)

LIB := $(OUT)/libcpuwarden.a
PROGRAM := $(OUT)/cpuwarden
NEXT_PROGRAM := $(OUT)/next/cpuwarden
object = $(1:%.c=$(OUT)/%.o)

.PHONY: all
all: $(PROGRAM) ## the program: build/cpuwarden

# --- BPF -------------------------------------------------------------------------------------------

# Debian keeps asm/ in the multiarch folder, which clang does not search for the bpf target. The
# program knows an observer of its own build by the object file: built elsewhere that is the same.
BPF_CFLAGS := -O2 -g -target bpf -I. -I/usr/include/$(shell gcc -print-multiarch 2>/dev/null) \
	-Wall -Wextra -Wno-unused-parameter -Werror -mcpu=v3 -ffile-prefix-map=$(CURDIR)=. \
	-D__TARGET_ARCH_$(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))

.SECONDARY: $(SKELETONS:.skel.h=.bpf.o)
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(say) BPF $@
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@

# --- C ---------------------------------------------------------------------------------------------

$(call object,user/observer/object.c): $(SKELETONS)

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# A page is compared with the one that this program makes only if both have the same form.
PAGE_SOURCES := $(sort $(wildcard user/report/page*) user/base/text.c)
PAGE_OBJECT := user/report/page_files
PAGE_FORM := -DPAGE_FORM='"$(firstword $(shell cat $(PAGE_SOURCES) | sha256sum | cut -c 1-16))"'
$(OUT)/$(PAGE_OBJECT).o $(BUILD)/fuzz/lib/$(PAGE_OBJECT).o: CPPFLAGS += $(PAGE_FORM)
$(OUT)/$(PAGE_OBJECT).o $(BUILD)/fuzz/lib/$(PAGE_OBJECT).o: $(PAGE_SOURCES)

$(LIB): $(call object,$(LIB_SOURCES))
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(PROGRAM): $(call object,$(CLI_SOURCES)) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# A small run of a benchmark is a test, too.
PLACEMENT_SOURCES := $(sort $(wildcard tests/bench/placement/*.c))
$(OUT)/tests/unit/model_allocator_compare_test: $(call object,$(filter-out %/main.c,$(PLACEMENT_SOURCES)))

# Reports of hosts that are not there: for tests of their data and of pages.
FIXTURE_SOURCES := tests/page/fixture.c tests/page/fixture_counters.c
$(filter $(OUT)/tests/unit/report_%,$(UNIT_TESTS)): $(call object,$(FIXTURE_SOURCES))

# Screens are of the command line, which is no library.
$(filter $(OUT)/tests/unit/cli_top_%,$(UNIT_TESTS)): $(call object,$(addprefix user/cli/top_,$(addsuffix .c,grid keys map screen tables)))

$(UNIT_TESTS): $(OUT)/%: $(OUT)/%.o $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(PKG_LIBS) -lcmocka -lpthread

$(OUT)/tests/page/make_page: $(call object,tests/page/make_page.c $(FIXTURE_SOURCES)) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# Helpers run inside the test VM and know nothing of the program.
$(HELPERS): $(OUT)/%: $(OUT)/%.o
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpthread

# --- Tests -----------------------------------------------------------------------------------------

.PHONY: unit-build unit helpers
unit-build: $(UNIT_TESTS)
unit: $(UNIT_TESTS) $(PROGRAM) ## build and run the unit tests
	$(Q)tools/run-unit $(UNIT_TESTS)

helpers: $(HELPERS) $(GUESTS) $(NEXT_PROGRAM)

# The same program as another build of it, that takes over from this one.
$(OUT)/next/object.o: user/observer/object.c $(SKELETONS)
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) -DOBSERVER_BUILD='"next"' $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(NEXT_PROGRAM): $(call object,$(CLI_SOURCES)) $(OUT)/next/object.o $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# One firmware, several behaviours: see the head of firmware.S.
$(BUILD)/tests/vm/guest/tick.bin: GUEST := -DTICK
$(BUILD)/tests/vm/guest/calm.bin: GUEST := -DTICK -DTICK_HZ=20
$(BUILD)/tests/vm/guest/work.bin: GUEST := -DTICK -DTICK_HZ=20 -DWORK=100000
$(BUILD)/tests/vm/guest/ring.bin: GUEST := -DRING
$(GUESTS): tests/vm/guest/firmware.S
	@mkdir -p $(@D)
	$(say) GUEST $@
	$(Q)$(CC) -m32 $(GUEST) -c $< -o $(@:.bin=.o)
	$(Q)ld -m elf_i386 -N -Ttext=0xf0000 -e 0xf0000 --oformat=binary -o $@ $(@:.bin=.o)

# Pictures of what was looked at: PICTURES=FOLDER.
.PHONY: page
page: $(OUT)/tests/page/make_page ## the page of `report` in a browser, as tests/page/run
	$(Q)axe=$$(tools/axe) && tests/page/run $< "$$axe" $(PICTURES)

# --- Benchmark -------------------------------------------------------------------------------------

# A skeleton's name is an identifier, so without its folder.
$(BUILD)/bpf/bench/%.skel.h: $(BUILD)/bpf/bench/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

BENCH_SOURCES := $(filter-out tests/bench/plan.c,$(sort $(wildcard tests/bench/*.c)))
$(call object,tests/bench/tracers.c): $(BUILD)/bpf/bench/empty.skel.h

$(OUT)/tests/bench/bench: $(call object,$(BENCH_SOURCES)) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread

$(OUT)/tests/bench/placement/placement: $(call object,$(PLACEMENT_SOURCES)) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

.PHONY: bench bench-placement
bench: $(OUT)/tests/bench/bench ## what the observer costs at a context switch (root)
	$(Q)$<

bench-placement: $(OUT)/tests/bench/placement/placement ## the allocator beside other rules
	$(Q)$<

# It builds its host as the unit tests do.
$(OUT)/tests/bench/plan: $(call object,tests/bench/plan.c) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

.PHONY: bench-plan
bench-plan: $(OUT)/tests/bench/plan ## what a plan for a big host takes
	$(Q)$<

# --- Fuzzing ---------------------------------------------------------------------------------------

FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SECONDS ?= 20

FUZZ_OBJECTS := $(patsubst %.c,$(BUILD)/fuzz/lib/%.o,$(filter-out user/observer/% user/control/% user/daemon/%,$(LIB_SOURCES)))
FUZZ_FLAGS = $(CPPFLAGS) -std=gnu11 -g -O1

$(BUILD)/fuzz/lib/%.o: %.c
	@mkdir -p $(@D)
	$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

$(BUILD)/fuzz/fuzz_report: $(FIXTURE_SOURCES:%.c=$(BUILD)/fuzz/lib/%.o)

$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_OBJECTS)
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(PKG_LIBS)

.PHONY: fuzz
fuzz: $(FUZZ_TARGETS) ## run each fuzz target for FUZZ_SECONDS
	$(Q)for target in $(FUZZ_TARGETS); do mkdir -p $$target.corpus; \
		$$target -max_total_time=$(FUZZ_SECONDS) $$target.corpus >$$target.log 2>&1 || \
		{ tail -n 30 $$target.log; exit 1; }; tail -n 1 $$target.log; done

# --- Manual ----------------------------------------------------------------------------------------

MAN_SOURCES := $(sort $(wildcard docs/man/*.scd))
MAN_PAGES := $(MAN_SOURCES:docs/man/%.scd=$(BUILD)/man/%)

$(BUILD)/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	$(say) MAN $@
	$(Q)scdoc <$< >$@

.PHONY: man man-check completion
man: $(MAN_PAGES) ## the manual pages: build/man

man-check: $(MAN_PAGES) $(PROGRAM) ## fail where a page is malformed or disagrees with --help
	$(Q)tools/check-man $(PROGRAM) $(MAN_PAGES)

# As installed, beside the program.
completion: $(PROGRAM) $(MAN_PAGES) ## test completion in real shells
	$(Q)rm -rf $(BUILD)/root
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(BUILD)/root >/dev/null
	$(Q)tests/shell/completion $(BUILD)/root

# --- Style -----------------------------------------------------------------------------------------

C_FILES = $(or $(shell git ls-files -co --exclude-standard '*.c' '*.h'),$(error not a git checkout: no C files are known))

.PHONY: format format-check includes rules-check cppcheck
format: ## format all C files
	$(Q)clang-format -i $(C_FILES)

# Releases of clang-format differ in taste; 14, Debian 12's, is the one that counts.
format-check: ## fail where a C file is not formatted
	$(Q)case "$$(clang-format --version)" in *" version 14."*) \
		clang-format --dry-run --Werror $(C_FILES) ;; \
	*) echo "clang-format is not of version 14: not checked" ;; esac

includes: ## fail where a file includes what its room may not
	$(Q)tools/check-includes

rules-check: ## what Prometheus says to the alert and recording rules, and their tests
	$(Q)cd docs/monitoring && promtool check rules alerts.yml rules.yml && promtool test rules rules_test.yml

cppcheck: $(SKELETONS) ## static analysis
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --max-configs=4 \
		--enable=warning,performance,portability --suppress=missingIncludeSystem --suppress=internalAstError \
		-I. -D_GNU_SOURCE -DCPUWARDEN_VERSION='""' -DPAGE_FORM='""' -j2 \
		$(filter-out tests/%,$(LIB_SOURCES) $(CLI_SOURCES))

# --- The rest --------------------------------------------------------------------------------------

.PHONY: install clean help check demo package
install: $(PROGRAM) $(MAN_PAGES) ## install below DESTDIR, PREFIX=/usr
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/cpuwarden
	install -d -m 0755 $(DESTDIR)/etc/cpuwarden/vms.d
	install -D -m 0644 docs/cpuwarden.conf $(DESTDIR)$(PREFIX)/share/doc/cpuwarden/cpuwarden.conf
	install -d $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7 \
		$(DESTDIR)$(PREFIX)/share/man/man8
	install -m 0644 $(filter %.5,$(MAN_PAGES)) $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 0644 $(filter %.7,$(MAN_PAGES)) $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 0644 $(filter %.8,$(MAN_PAGES)) $(DESTDIR)$(PREFIX)/share/man/man8
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 0644 $(addprefix user/units/cpuwarden,.service .socket -textfile.service -textfile.timer) \
		$(DESTDIR)$(PREFIX)/lib/systemd/system
	install -d -m 0755 $(DESTDIR)$(PREFIX)/share/cpuwarden/monitoring
	install -m 0644 $(addprefix docs/monitoring/,alerts.yml rules.yml rules_test.yml dashboard.json README.md) \
		$(DESTDIR)$(PREFIX)/share/cpuwarden/monitoring
	install -D -m 0755 user/units/libvirt-hook $(DESTDIR)/etc/libvirt/hooks/qemu.d/cpuwarden
	install -D -m 0644 user/units/cpuwarden.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/cpuwarden
	install -D -m 0644 user/units/_cpuwarden $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_cpuwarden

check: ## the tests, as CI runs them (root)
	tools/check

package: ## the Debian package: build/package
	tools/package

demo: ## the story on a throwaway host (root)
	tools/demo

clean: ## remove what was built, keep fetched kernels
	$(Q)find $(BUILD) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} + 2>/dev/null || true

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 18

-include $(shell find $(BUILD) -path $(BUILD)/cache -prune -o -type f -name '*.d' -print 2>/dev/null)
