# shellcheck shell=sh
# What the maintainer scripts of both packages share: scripts/package puts it before each. POSIX sh.

snippets='/etc/nginx/alt/alt-http.conf /etc/nginx/alt/alt-endpoint.conf /etc/nginx/alt/alt-locations.conf'
site=/etc/nginx/conf.d/alt.conf
logs=/var/log/nginx/alt

systemd_runs() { [ -d /run/systemd/system ]; }

# The account and the directories; both may be there already.
prepare() {
    rm -f /etc/nginx/alt/*.kept
    systemd-sysusers /usr/lib/sysusers.d/alt.conf
    systemd-tmpfiles --create /usr/lib/tmpfiles.d/alt.conf ||
        echo "alt: not all of $logs is as it should be, see above; alt setup makes it so" >&2
    # By the distribution's own rules: httpd_log_t below /var/log/nginx, httpd_config_t below /etc/nginx.
    if command -v selinuxenabled >/dev/null && selinuxenabled; then
        restorecon -R /usr/bin/alt /etc/alt /etc/nginx/alt "$logs" || :
    fi
    if systemd_runs; then systemctl daemon-reload || :; fi
}

# The schema first: the daemon of the version before runs on the next one, too. Then the daemon is another one;
# if it was not running, it stays that way.
upgrade() {
    systemd_runs || return 0
    systemctl --quiet is-active alt.service || systemctl --quiet is-enabled alt.service 2>/dev/null || return 0
    migrate ||
        echo "alt: the schema is not upgraded; do it once PostgreSQL can be reached: sudo alt migrate" >&2
    systemctl try-restart alt.service || :
}

# With the environment of the daemon, if it runs: its ALT_ variables, and its credentials.
migrate() {
    pid=$(systemctl show --property=MainPID --value alt.service)
    if [ "${pid:-0}" != 0 ]; then
        # shellcheck disable=SC2016
        xargs -0 -a "/proc/$pid/environ" sh -c 'exec env -i "$@" timeout 300 /usr/bin/alt --quiet migrate' sh
    else
        timeout 300 /usr/bin/alt --quiet migrate
    fi
}

# Files beside the site of `alt setup` that include the snippets: somebody's own sites.
own_sites() {
    [ -d /etc/nginx ] || return 0
    grep -RlsE '^[^#]*include[[:space:]]+[^;]*alt/alt-[a-z]+\.conf' /etc/nginx |
        grep -v -e '^/etc/nginx/alt/' -e "^$site" || :
}

# Before the snippets go: nginx would not start again with a site that includes them. nginx answers first, and the
# daemon ends after it.
retire() {
    own=$(own_sites)
    if [ -n "$own" ]; then
        echo "alt: nginx's configuration still includes /etc/nginx/alt, which therefore stays:" >&2
        echo "$own" >&2
        for file in $snippets; do
            if [ -f "$file" ]; then cp -p "$file" "$file.kept"; fi
        done
    elif [ -f "$site" ]; then
        mv -f "$site" "$site.removed"
        if [ -s /run/nginx.pid ] && nginx -t -q; then nginx -s reload || :; fi
        echo "alt: nginx takes no events any more; its site is in $site.removed" >&2
    fi
    if systemd_runs; then systemctl --quiet --no-reload disable --now alt.service || :; fi
}

# After the snippets went.
retired() {
    for file in $snippets; do
        if [ -f "$file.kept" ]; then mv -n "$file.kept" "$file"; fi
        rm -f "$file.kept"
    done
    if systemd_runs; then systemctl daemon-reload || :; fi
}
