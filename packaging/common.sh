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
    # Only what is in root's directories: what is in rotated/ has the label of the log that it was.
    if command -v selinuxenabled >/dev/null && selinuxenabled; then
        restorecon -R /usr/bin/alt /etc/alt /etc/nginx/alt || :
        restorecon "$logs" "$logs/rotated" "$logs/beacon.log" || :
    fi
    if systemd_runs; then systemctl daemon-reload || :; fi
}

# The schema first: the daemon of the version before runs on the next one, too. Then the daemon is another one;
# if it was not running, it stays that way.
upgrade() {
    if ! systemd_runs; then
        echo "alt: no systemd runs here. Run \`alt migrate\` as the daemon's account and with its environment, and" \
            "start the daemon anew." >&2
        return 0
    fi
    systemctl --quiet is-active alt.service || systemctl --quiet is-enabled alt.service 2>/dev/null || return 0
    # The tables get an owner of their own, whom the daemon cannot become. Where PostgreSQL is elsewhere, nothing changes.
    /usr/bin/alt --quiet setup --only-roles >/dev/null ||
        echo "alt: the tables keep their owner, see above; do it later: sudo alt setup --only-roles" >&2
    migrate ||
        echo "alt: the schema is not upgraded (journalctl -u alt-migrate says why); do it once PostgreSQL can be" \
            "reached: sudo alt migrate" >&2
    systemctl try-restart alt.service || :
    systemctl try-restart alt-web.service || :
}

# By systemd, as the account of the tables' owner if there is one, else as the daemon's, in the sandbox, with the environment and the credentials of the daemon's unit: its own
# text, drop-ins and all, with another command. Nothing is taken from a process of the account, which can put anything
# into its environment, and root executes nothing here but systemctl.
migrate() {
    unit=/run/systemd/system/alt-migrate.service
    text=$(systemctl cat alt.service) || return 1
    # Without it the command would be root's.
    case $text in *User=*) ;; *) return 1 ;; esac
    {
        # What ties the daemon to other units is not for this one: nginx would wait for it.
        printf '%s\n' "$text" | sed -E -e \
            '/^[[:space:]]*(Before|Conflicts|PartOf|BindsTo|OnFailure|OnSuccess)[[:space:]]*=/{:more' -e \
            '/\\$/{N' -e 'bmore' -e '}' -e 'd' -e '}'
        cat <<'END'

[Unit]
Description=Access Log Tracker: upgrades the schema
CollectMode=inactive-or-failed
[Service]
Type=oneshot
RemainAfterExit=no
Restart=no
WatchdogSec=0
TimeoutStartSec=300
RuntimeDirectoryPreserve=yes
ExecStart=
ExecStart=/usr/bin/alt --quiet migrate
ExecStartPost=
ExecReload=
ExecStop=
ExecStopPost=
END
        # The directory of the daemon's state stays the daemon's.
        if getent passwd alt_owner >/dev/null; then printf 'User=alt_owner\nGroup=alt\nStateDirectory=\n'; fi
    } >"$unit"
    status=0
    { systemctl daemon-reload && systemctl start alt-migrate.service 2>/dev/null; } || status=$?
    rm -f "$unit"
    systemctl daemon-reload || :
    return "$status"
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
    if ! systemd_runs; then return 0; fi
    for unit in alt-web.service alt.service; do
        if [ -e "/usr/lib/systemd/system/$unit" ] || [ -e "/lib/systemd/system/$unit" ]; then
            systemctl --quiet --no-reload disable --now "$unit" || :
            continue
        fi
        # The unit's file went before, and systemctl would say that there is none.
        if systemctl --quiet is-active "$unit"; then systemctl stop "$unit" || :; fi
        rm -f "/etc/systemd/system/multi-user.target.wants/$unit"
    done
}

# After the snippets went.
retired() {
    for file in $snippets; do
        if [ -f "$file.kept" ]; then mv -n "$file.kept" "$file"; fi
        rm -f "$file.kept"
    done
    # What `alt setup` wrote beside the unit.
    rm -f /etc/systemd/system/alt.service.d/alt-local.conf
    rmdir /etc/systemd/system/alt.service.d 2>/dev/null || :
    if systemd_runs; then systemctl daemon-reload || :; fi
}
