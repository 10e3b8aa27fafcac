// Who is here, and what arrives: asked every three seconds.
import { useEffect, useRef, useState } from "preact/hooks";
import { Refused, events, live } from "./api";
import { Bar, Help, allApplications } from "./bar";
import "./filters"; // What all pages share stays one file.
import { Failed, Said } from "./states";
import { useEvery, useKeys, useStage } from "./use";
import { address } from "./view";
import { clock, compact, nameOf, number, say } from "./words";

const EVERY = 3;
const MINUTES = 30;

type Event = Record<string, any>;

export function Live() {
  const { view, go } = useStage();
  const [visitors, setVisitors] = useState<number>();
  const [list, setList] = useState<Event[]>();
  const [error, setError] = useState<Refused>();
  const [mayNot, setMayNot] = useState(false);
  const [isPaused, setPaused] = useState(false);
  const [app, setApp] = useState({ name: view.app, zone: undefined as string | undefined });
  const [help, setHelp] = useState(false);
  const known = useRef(new Set<string>());
  const look = () => {
    const from = new Date(Date.now() - MINUTES * 60_000).toISOString();
    live(view).then(
      (now) => {
        setVisitors(now.visitors);
        setError(undefined);
      },
      (refused: Refused) => (refused.status === 401 ? location.replace(`/sign-in?next=${encodeURIComponent(address(view))}`) : setError(refused)),
    );
    if (!mayNot) {
      events(view.app, from).then(setList, (refused: Refused) => refused.status === 403 && setMayNot(true));
    }
  };
  useEffect(() => {
    look();
    allApplications().then(
      (all) => {
        const found = all.find((one) => one.id === view.app);
        if (found) setApp({ name: found.name, zone: found.zone });
      },
      () => {},
    );
  }, [view.app]);
  useEvery(isPaused ? 0 : EVERY, look);
  useEffect(() => {
    document.title = `${visitors ? `(${number(visitors)}) ` : ""}${app.name} · ${say("live")} · alt`;
  }, [visitors, app.name]);
  useKeys((key) => {
    if (key === "v" || (key === "Escape" && view.wall)) go({ ...view, wall: !view.wall });
    else if (key === "r" || key === "Escape") go({ ...view, page: "statistics" });
    else if (key === "a") go({ ...view, page: "all" });
    else if (key === "?") setHelp(true);
  });
  const isFirst = known.current.size === 0;
  const people = list?.filter((one) => one.traffic_class === "human") ?? [];
  const pages = new Map<string, number>();
  for (const one of people) if (one.event_type === "pageview") pages.set(one.url_path ?? "", (pages.get(one.url_path ?? "") ?? 0) + 1);
  const top = [...pages].sort((a, b) => b[1] - a[1]).slice(0, 9);
  useEffect(() => list?.forEach((one) => known.current.add(one.event_id)), [list]);
  return (
    <>
      <Bar name={app.name} help={() => setHelp(true)}>
        <span class="grow" />
        <button type="button" class="pill" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {say(isPaused ? "live_go" : "live_pause")}
        </button>
      </Bar>
      <main id="numbers">
        {error && visitors === undefined ? (
          <Failed error={error} retry={look} />
        ) : (
          <>
            {error && <p class="warn" role="alert">{say("offline")}</p>}
            <section class="card pulse">
              <div>
                <p class={visitors ? "current on" : "current"}>
                  <i />
                  {say("live")}
                </p>
                <p class="huge" data-live={visitors}>
                  {visitors === undefined ? "–" : compact(visitors)}
                </p>
                <p class="note">
                  {say("visitors")} {say("last_minutes", 5)}
                </p>
              </div>
              {!mayNot && <Minutes list={people} />}
            </section>
            {mayNot ? (
              <section class="card notice">
                <Said text={say("live_editor")} />
              </section>
            ) : (
              <div class="grid live">
                <section class="card panel" aria-label={say("live_events")}>
                  <header>
                    <h2>{say("live_events")}</h2>
                  </header>
                  {list && list.length === 0 ? (
                    <p class="nothing">{say("live_nothing")}</p>
                  ) : (
                    <ol class="stream" tabIndex={0} aria-label={say("live_events")}>
                      {list?.slice(0, 60).map((one) => (
                        <li key={one.event_id} class={!isFirst && !known.current.has(one.event_id) ? "new" : undefined} data-event={one.event_id}>
                          <time>{clock(one.occurred_at, app.zone, true)}</time>
                          <b class={one.traffic_class === "human" ? "kind" : "kind other"}>{one.traffic_class === "human" ? nameOf("event", one.event_type) : one.traffic_class}</b>
                          <span class="path" title={one.title ?? ""}>
                            {one.url_path ?? ""}
                          </span>
                          <span class="who">{[one.browser, one.os].filter(Boolean).join(" · ")}</span>
                        </li>
                      ))}
                    </ol>
                  )}
                </section>
                <section class="card panel" aria-label={say("live_pages")}>
                  <header>
                    <h2>{say("live_pages")}</h2>
                  </header>
                  <table class="list">
                    <thead>
                      <tr>
                        <th scope="col">{say("one_page")}</th>
                        <th scope="col" class="n">
                          {say("views")}
                        </th>
                      </tr>
                    </thead>
                    <tbody>
                      {top.map(([path, count]) => (
                        <tr key={path}>
                          <th scope="row">
                            <i class="fill" style={{ width: `${(count / top[0]![1]) * 100}%` }} />
                            <span class="text">{nameOf("page", path)}</span>
                          </th>
                          <td class="n">{number(count)}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </section>
              </div>
            )}
          </>
        )}
      </main>
      {help && <Help close={() => setHelp(false)} />}
    </>
  );
}

/** Events of people, by minute. An answer has at most 200 events: what is before them is not drawn. */
function Minutes({ list }: { list: Event[] }) {
  const now = Date.now();
  const counts = Array.from({ length: MINUTES }, () => 0);
  for (const one of list) {
    const ago = Math.floor((now - new Date(one.occurred_at).getTime()) / 60_000);
    if (ago >= 0 && ago < MINUTES) counts[MINUTES - 1 - ago]! += 1;
  }
  const most = Math.max(1, ...counts);
  const [width, height] = [600, 110];
  const step = width / MINUTES;
  return (
    <svg class="minutes" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={`${say("per_minute")}, ${say("last_minutes", MINUTES)}`}>
      {counts.map((count, n) => {
        const size = Math.max(2, (count / most) * height);
        return (
          <rect key={n} class={count ? "column" : "column none"} x={n * step + 2} y={height - size} width={step - 4} height={size} rx="3">
            <title>{number(count)}</title>
          </rect>
        );
      })}
    </svg>
  );
}
