
// The beacon: says what the visitor of a page does, by requests to the collector.
//
// Made small by build.mjs, once without and once with what stands under FULL. Names between dollars are filled in by
// `alt beacon build` (src/cmd/beacon): $E$ the endpoint, $G$ the global name, $F$ what of an address is no page ("#.*"),
// $M$ which parameters are masked (a look ahead, at a parameter's name), $X$ the endings of downloads, $W$ whether it
// waits for consent, $T$ whether it may run here, and the parameters of a request, each under the name that it has there
// ($pv$, $u$, …).
//
// Rules: nothing is sent twice; nothing is thrown into the page, whatever it does; nothing is stored, but for an
// opt-out; every text is cut before anything else is done with it, so that no page can make the script slow. A block and
// not a function, so that nothing but the one name becomes global.
{
  let looked, // the page was looked at since `mark`
    depth, // the greatest that was seen of it, percent
    mark, // up to then time was counted
    view, // the id of the page view
    url, // the page, as it was told
    total, // the time that it was looked at and was not told yet, ms
    act, // the visitor's last action
    title, // the title of the page
    waits, // how often an address that was not told yet was met
    { src, dataset } = document.currentScript || {},
    // What every event says: the application that the script's address names, the data- attributes of the script's tag,
    // and what the page sets.
    common = { $a$: /[?&]$a$=([^&]*)/.exec(src)?.[1], ...dataset },
    off = FULL && $W$, // nothing is sent
    // Not by `document.documentElement` later on, nor by an element's own methods: a form's controls, and forms of a
    // document, hide properties whose name they have.
    root = document.documentElement,
    within = (number, most) => Math.max(0, Math.min(number, most)),
    clean = (text) => text.slice(0, 7400).replace(/$F$/, "").replace(/([?&]$M$[^=&?]*=)[^&]*/gi, "$1***"),
    transmit = (to, online = navigator.onLine) =>
      fetch(to, { mode: "no-cors", keepalive: true }).catch(
        // A request that failed may have arrived: it is repeated only if there was no network when it was sent. What
        // `onLine` says may be wrong, so the request is sent in any case.
        () => online || addEventListener("online", () => transmit(to), { once: true }),
      ),
    // Sends an event; what stands later gives way first where it is too long.
    send = (type, own, leaving) => {
      try {
        let to = new URL("$E$", src) + "",
          cut = "",
          all = {
            $pv$: view,
            $wd$: navigator.webdriver || "",
            $ts$: Date.now(),
            $e$: type,
            ...common,
            $u$: url,
            ...own,
          };
        for (let name in all)
          // What JSON cannot express is left out.
          try {
            let text = all[name] ?? "",
              room = 7400 - to.length,
              part;
            text.big || ((text = JSON.stringify(text)), (name = "j." + name));
            for (
              // By characters, so that none is cut in two.
              text = [...text.slice(0, room)];
              text[0] && (part = "&" + new URLSearchParams([[name.slice(0, 99), text.join("")]]))[room];
              cut = "&$tr$=1"
            )
              text.splice(text.length / 2);
            if (text[0]) to += part;
          } catch {}
        if (!FULL || !off) {
          // Counted off at the last moment: Firefox may stop a page's script anywhere as its tab is closed, and goes on
          // with the next event.
          if (leaving) total = 0;
          transmit(to + cut);
        }
      } catch {}
    },
    // Counts the time since `mark`: of somebody who does nothing 30 s, and none where the machine slept.
    tick = () => {
      let now = performance.now();
      if (looked && now - mark < 9e3) total += within(now - mark, act + 3e4 - mark);
      mark = now;
      looked = !document.hidden && document.hasFocus();
    },
    active = () => {
      tick();
      act = mark;
    },
    look = () => {
      active();
      depth = Math.max(depth, within(((scrollY + innerHeight) / root.scrollHeight) * 100 | 0, 100));
    },
    flush = () => {
      look();
      if (total > 1) send("engagement", { $d$: total | 0, $sd$: depth }, 1);
    },
    // Tells the page where it is another one than before. Whatever changed the address is found by looking at it: the
    // History API, the Navigation API, a router that wraps either. Routers set the title later than the address, some
    // after a request: a new address counts with a new title, or after 2 s. A caller that cannot wait passes `now`.
    start = (now) => {
      tick();
      let next = clean(location.href);
      if (next == url) {
        title = document.title;
        waits = 0;
      } else {
        // Time and depth up to here belong to the page before. At the first page nothing is looked at: it would make
        // the browser lay the page out.
        url ? waits++ || flush() : (active(), (total = 0));
        if (now || waits > 50 || document.title != title) {
          depth = 0;
          view = Math.random() + "";
          send("pageview", {
            ...(FULL ? { $sw$: screen.width, $sh$: screen.height, $tz$: Intl.DateTimeFormat().resolvedOptions().timeZone } : {}),
            $t$: document.title,
            $r$: clean(url || document.referrer, (url = next)),
          });
        }
      }
    },
    click = (event) => {
      try {
        let closest = (selector) => root.closest.call(event.target, selector),
          // Text and addresses of links and buttons only: there is nothing that somebody typed.
          shown = closest("a,area,button,[role=button]"),
          element = shown || event.target,
          host = shown?.host;
        start(1);
        active();
        event.button > 1 ||
          closest("[data-alt-ignore]") ||
          send(host && host != location.host ? "outbound" : /\.($X$)$/i.test(shown?.pathname) ? "download" : "click", {
            // The keyboard clicks nowhere.
            ...(event.detail && {
              $x$: within((event.pageX / root.scrollWidth) * 100 | 0, 100),
              $y$: within((event.pageY / root.scrollHeight) * 100 | 0, 100),
            }),
            $el$: [element.localName, element.attributes.id?.value].join("#"),
            $tx$: shown && /\S.{0,79}/su.exec(shown.textContent)?.[0],
            href: host && clean(shown.href),
          });
      } catch {}
    },
    // $G$("name", {what it says}), or $G$({what all events say from now on}).
    api = (name, own) => {
      if (FULL && (name == "off" || name == "on"))
        try {
          name == "off"
            ? (localStorage.$G$_off = off = 1)
            : off && ((off = url = 0), start(1), delete localStorage.$G$_off);
        } catch {}
      else name?.big ? (start(1), send(name, own)) : (common = { ...common, ...name });
    },
    begin = () => {
      if (FULL) {
        try {
          off ||= localStorage.$G$_off;
        } catch {}
        api.search = (search_term, result_count) => api("search", { search_term, result_count });
        api.cart = (what, entity_id, more) => api("cart_" + what, { entity_type: "product", entity_id, ...more });
      }
      // What waits counts from the first page view on, which the first event among it, or else `start`, sends.
      self.$G$?.q?.map((call) => api(...call));
      start(1);
      $G$ = api;
      setInterval(start, 40);
      let on = {
        // in the order that is smallest when it is compressed
        auxclick: click,
        timeupdate: active, // media plays
        pointermove: active,
        // What is no number stays below any: nothing counts before the next page view.
        pagehide: () => (start(1), flush(), (total = {})),
        click,
        visibilitychange: () => (start(1), flush()), // the last that is heard of many a tab
        keydown: active,
        pageshow: (event) => event.persisted && ((url = 0), start(1)),
        blur: tick,
        focus: active,
        scroll: look,
      };
      for (let name in on) addEventListener(name, on[name], true);
    };
  // Whatever brings the script in again, it runs once in a window.
  if ($T$ && !history.$G$)
    (history.$G$ = 1), document.prerendering ? addEventListener("prerenderingchange", begin, true) : begin();
}
