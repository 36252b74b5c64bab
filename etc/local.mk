# The sample becomes the settings only where there are none yet; a package
# finds it among the documents in any case.
EXTRA_DIST += etc/sekisho.conf etc/sekishoctl.bash
exampledir = $(docdir)/examples
example_DATA = etc/sekisho.conf
# bash finds it there by the name of the program.
bashcompdir = $(datadir)/bash-completion/completions

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(sysconfdir)"
	test -e "$(DESTDIR)$(sysconfdir)/sekisho.conf" || \
		$(INSTALL_DATA) $(srcdir)/etc/sekisho.conf \
			"$(DESTDIR)$(sysconfdir)/sekisho.conf"
	$(MKDIR_P) "$(DESTDIR)$(bashcompdir)"
	$(INSTALL_DATA) $(srcdir)/etc/sekishoctl.bash \
		"$(DESTDIR)$(bashcompdir)/sekishoctl"

# What somebody has changed is his.
uninstall-local:
	f="$(DESTDIR)$(sysconfdir)/sekisho.conf"; \
	if cmp -s $(srcdir)/etc/sekisho.conf "$$f"; then rm -f "$$f"; fi
	rm -f "$(DESTDIR)$(bashcompdir)/sekishoctl"
