# The sample becomes the settings only where there are none yet; a package
# finds it among the documents in any case.
EXTRA_DIST += etc/README.md etc/sekisho.conf etc/sekishoctl.bash
exampledir = $(docdir)/examples
example_DATA = etc/sekisho.conf
# bash finds it there by the name of the program.
bashcompdir = $(datadir)/bash-completion/completions

# What makes a service of it.  Paths are filled in by make, because configure
# knows them as ${prefix}/... only.
SERVICE_FILES = \
	etc/default/sekisho \
	etc/init.d/sekisho \
	etc/logrotate.d/sekisho \
	etc/systemd/sekisho.service \
	etc/systemd/sekisho.socket
FILL_IN = $(SED) -e 's|@bindir[@]|$(bindir)|g' \
	-e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g'
$(SERVICE_FILES): Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(FILL_IN) $(srcdir)/$@.in >$@.tmp && mv $@.tmp $@
etc/default/sekisho: etc/default/sekisho.in
etc/init.d/sekisho: etc/init.d/sekisho.in
etc/logrotate.d/sekisho: etc/logrotate.d/sekisho.in
etc/systemd/sekisho.service: etc/systemd/sekisho.service.in
etc/systemd/sekisho.socket: etc/systemd/sekisho.socket.in
CLEANFILES += $(SERVICE_FILES)
EXTRA_DIST += \
	etc/default/sekisho.in \
	etc/init.d/sekisho.in \
	etc/logrotate.d/sekisho.in \
	etc/systemd/sekisho.service.in \
	etc/systemd/sekisho.socket.in

# All of it is among the examples, ready to be put into its place, however
# sekisho was configured; monitoring is on another machine as often as not.
nobase_example_DATA = \
	etc/default/sekisho \
	etc/grafana/sekisho.json \
	etc/grok/sekisho \
	etc/logrotate.d/sekisho \
	etc/prometheus/sekisho.rules.yml \
	etc/systemd/sekisho.service \
	etc/systemd/sekisho.socket \
	etc/sysusers.d/sekisho.conf \
	etc/tmpfiles.d/sekisho.conf
nobase_example_SCRIPTS = \
	etc/init.d/sekisho \
	etc/munin/sekisho_ \
	etc/nagios/check_sekisho
EXTRA_DIST += \
	etc/grafana/sekisho.json \
	etc/grok/sekisho \
	etc/munin/sekisho_ \
	etc/nagios/check_sekisho \
	etc/prometheus/sekisho.rules.yml \
	etc/sysusers.d/sekisho.conf \
	etc/tmpfiles.d/sekisho.conf

# systemd reads these below /usr/lib whatever its other folders are.
if UNITS
systemdsystemunit_DATA = \
	etc/systemd/sekisho.service \
	etc/systemd/sekisho.socket
sysusersdir = $(prefix)/lib/sysusers.d
sysusers_DATA = etc/sysusers.d/sekisho.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
tmpfiles_DATA = etc/tmpfiles.d/sekisho.conf
endif
if INITSCRIPT
initdir = $(sysconfdir)/init.d
init_SCRIPTS = etc/init.d/sekisho
endif

# What an administrator changes: source and place below sysconfdir.
KEPT = $(srcdir)/etc/sekisho.conf:sekisho.conf
if SERVICE
KEPT += etc/default/sekisho:default/sekisho \
	etc/logrotate.d/sekisho:logrotate.d/sekisho
endif

install-data-local: $(SERVICE_FILES)
	for pair in $(KEPT); do \
		f="$(DESTDIR)$(sysconfdir)/$${pair#*:}"; \
		$(MKDIR_P) "$${f%/*}" || exit 1; \
		test -e "$$f" || $(INSTALL_DATA) "$${pair%%:*}" "$$f" || exit 1; \
	done
	$(MKDIR_P) "$(DESTDIR)$(bashcompdir)"
	$(INSTALL_DATA) $(srcdir)/etc/sekishoctl.bash \
		"$(DESTDIR)$(bashcompdir)/sekishoctl"

# What somebody has changed is his.
uninstall-local:
	for pair in $(KEPT); do \
		f="$(DESTDIR)$(sysconfdir)/$${pair#*:}"; \
		if cmp -s "$${pair%%:*}" "$$f"; then rm -f "$$f"; fi; \
	done
	rm -f "$(DESTDIR)$(bashcompdir)/sekishoctl"
