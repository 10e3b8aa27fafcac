// The beacon: says what the visitor of a page does, by requests to the collector.
//
// Made small by build.mjs, once without and once with what stands under FULL. Names between dollars are filled in by
// `alt beacon build` (src/cmd/beacon): $E$ the endpoint, $G$ the global name, $F$ what of an address is no page ("#.*"),
// $M$ the parameters whose values are masked, $X$ the endings of downloads, $W$ whether it waits for consent, $T$ whether it
// may run here, and the parameters of a request, each under the name that it has there ($pv$, $u$, …).
//
// Rules: nothing is sent twice; nothing is thrown into the page, whatever it does; nothing is stored, but for an
// opt-out. A block and not a function, so that nothing but the one name becomes global.
{
  let script = document.currentScript,
    // What every event says: the data- attributes of the script's tag, and what the page sets.
    common = { ...script?.dataset },
    url, // the page, as it was told
    view, // its id
    depth, // the greatest that was seen of it, percent
    total, // the time that it was looked at and was not told yet, ms
    mark, // up to then time was counted
    act, // the visitor's last action
    on, // the page was looked at since `mark`
    off = FULL && $W$, // nothing is sent
    clean = (text) => text.replace(/$F$/, "").replace(/([?&]$M$=)[^&]*/gi, "$1***"),
    transmit = (to, leaving) =>
      navigator.onLine
        ? // A request that failed may have arrived: it is not repeated.
          (leaving && navigator.sendBeacon?.(to)) ||
          fetch(to, { keepalive: true, mode: "no-cors", credentials: "omit" }).catch(tick)
        : addEventListener("online", () => transmit(to), { once: true }),
    // Sends an event; what stands later gives way first where it is too long.
    send = (type, own, more, leaving) => {
      try {
        let to = new URL("$E$", script.src) + "",
          cut = "",
          part,
          all = {
            $e$: type,
            $pv$: view,
            $ts$: Date.now(),
            $wd$: navigator.webdriver || "",
            ...common,
            ...own,
            $u$: url,
            ...more,
          };
        for (let name in all) {
          let text;
          // By characters, so that none is cut in two.
          for (
            text = [...(all[name] ?? "") + ""];
            text[0] && (part = to + "&" + new URLSearchParams([[name, text.join("")]])).length > 7400;
            cut = "&$tr$=1"
          )
            text.splice(-99);
          if (text[0]) to = part;
        }
        // Counted off at the last moment: Firefox may stop a page's script anywhere as its tab is closed, and goes on with
        // the next event.
        if (!FULL || !off) transmit(to + cut, leaving && !(total = 0));
      } catch {}
    },
    // Counts the time since `mark`: of somebody who does nothing 30 s, and none where the machine slept.
    tick = () => {
      let now = performance.now();
      if (on && now - mark < 9e3) total += Math.max(0, Math.min(now, act + 3e4) - mark);
      mark = now;
      on = !document.hidden && document.hasFocus();
    },
    active = () => {
      tick();
      act = mark;
    },
    look = () => {
      active();
      depth = Math.max(depth, Math.min(100, ((scrollY + innerHeight) / document.documentElement.scrollHeight) * 100 | 0));
    },
    flush = () => {
      look();
      if (total >= 1) send("engagement", { $d$: total | 0, $sd$: depth }, 0, 1);
    },
    // Tells the page, where it is another one than before, or the same `again`.
    start = (again) => {
      let next = clean(location.href);
      if (next != url || again) {
        // `Again`, what was before is told, or was not to be. At the first time nothing is looked at: it would make the
        // browser lay the page out.
        again ? active() : flush();
        total = depth = 0;
        view = Math.random().toString(16).slice(2);
        common = { $s$: view, ...common };
        send(
          "pageview",
          FULL ? { $sw$: screen.width, $sh$: screen.height, $tz$: Intl.DateTimeFormat().resolvedOptions().timeZone } : 0,
          { $t$: document.title, $r$: clean(again ? document.referrer : url, (url = next)) },
        );
      }
    },
    // Once the page has set its title.
    later = () => setTimeout(start),
    click = ({ target, button, pageX, pageY }) => {
      // Text of links and buttons only: there is nothing that somebody typed.
      let shown = target.closest?.("a,button,[role=button]"),
        element = shown || target,
        host = element.host;
      active();
      if (button < 2 && !target.closest?.("[data-alt-ignore]"))
        send(
          host && host != location.host ? "outbound" : /\.($X$)$/i.test(element.pathname) ? "download" : "click",
          {
            $x$: (pageX / document.documentElement.scrollWidth) * 100 | 0,
            $y$: (pageY / document.documentElement.scrollHeight) * 100 | 0,
            $el$: element.localName + "#" + element.id,
            $tx$: shown && /\S(?:.{0,78}\S)?/su.exec(shown.textContent),
          },
          { href: host && clean(element.href) },
        );
    },
    // $G$("name", {what it says}), or $G$({what all events say from now on}).
    api = (name, own) => {
      if (FULL && (name == "off" || name == "on"))
        try {
          name == "off" ? (localStorage.$G$_off = off = 1) : off && ((off = 0), start(1), delete localStorage.$G$_off);
        } catch {}
      else name?.big ? send(name, start(), own) : (common = { ...common, ...name });
    },
    listen = (on) => {
      for (let name in on) addEventListener(name, on[name], { passive: true, capture: true });
    },
    begin = () => {
      if (FULL) {
        try {
          off ||= localStorage.$G$_off;
        } catch {}
        api.search = (search_term, result_count) => api("search", { search_term, result_count });
        api.cart = (what, entity_id, more) => api("cart_" + what, { entity_type: "product", entity_id, ...more });
      }
      start(1);
      self.$G$?.q?.map((call) => api(...call));
      self.$G$ = api;
      ["pushState", "replaceState"].map((name, old) => {
        old = history[name];
        history[name] = (...given) => (later(), old.apply(history, given));
      });
      listen({
        // in the order that is smallest when it is compressed
        timeupdate: active, // media plays
        popstate: later,
        keydown: active,
        pointermove: active,
        pointerdown: active,
        blur: tick,
        focus: active,
        scroll: look,
        click,
        pagehide: () => (flush(), (on = 0)),
        auxclick: click,
        pageshow: ({ persisted }) => persisted && start(1),
        visibilitychange: flush,
      });
      setInterval(tick, 5e3);
    };
  if ($T$) document.prerendering ? listen({ prerenderingchange: begin }) : begin();
}
