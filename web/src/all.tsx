// All applications at a glance. Each card asks for its numbers when it comes into sight.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Answer, type Application, Refused, dashboard } from "./api";
import { Bar, Help, Link, allApplications } from "./bar";
import { Spark, intervalOf } from "./chart";
// What all pages share is imported, so that it stays one file.
import "./filters";
import { KEYS, Days, Periods } from "./picker";
import { Copied, Failed, Notice } from "./states";
import { Change } from "./tiles";
import { useEvery, useKeys, useStage } from "./use";
import { compact, number, say } from "./words";

/** So many questions at a time. */
const AT_ONCE = 3;
const waiting: (() => void)[] = [];
let asking = 0;

/** A place among those that ask. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (asking >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  asking += 1;
  try {
    return await work();
  } finally {
    asking -= 1;
    waiting.shift()?.();
  }
}

export function All() {
  const { view, go } = useStage();
  const [all, setAll] = useState<Application[]>();
  const [error, setError] = useState<Refused>();
  const [text, setText] = useState("");
  const [dialog, setDialog] = useState<"" | "days" | "help">("");
  const load = () =>
    void allApplications().then(
      (found) => {
        setAll(found);
        setError(undefined);
      },
      (refused: Refused) => (refused.status === 401 ? location.replace("/sign-in?next=/") : setError(refused)),
    );
  useEffect(load, []);
  useEffect(() => {
    document.title = `${say("all")} · alt`;
  }, []);
  useKeys((key) => {
    if (KEYS[key]) go({ ...view, period: KEYS[key]! });
    else if (key === "c") setTimeout(() => setDialog("days"));
    else if (key === "?") setDialog("help");
  });
  const shown = all?.filter((one) => `${one.name}\n${one.domains?.join("\n")}`.toLowerCase().includes(text.toLowerCase()));
  return (
    <>
      <Bar name={say("all")} help={() => setDialog("help")}>
        <span class="grow" />
        {all && all.length > 6 && <input type="search" class="find" placeholder={say("search")} aria-label={say("search")} value={text} onInput={(event) => setText(event.currentTarget.value)} />}
        <Periods zone={undefined} openCustom={() => setDialog("days")} />
      </Bar>
      <main id="numbers">
        {error ? (
          <Failed error={error} retry={load} />
        ) : all && all.length === 0 ? (
          <Notice picture="none" title={say("no_apps")}>
            <p>{say("no_apps_about")}</p>
            <Copied text="sudo alt app add 'My shop' --domain shop.example.com" />
          </Notice>
        ) : (
          <div class="sites">
            {shown?.map((one) => <Site key={`${one.id} ${view.period}`} app={one} />) ?? [0, 1, 2].map((n) => <div key={n} class="card site" aria-busy="true" />)}
          </div>
        )}
      </main>
      {dialog === "days" && <Days zone={undefined} close={() => setDialog("")} />}
      {dialog === "help" && <Help close={() => setDialog("")} />}
    </>
  );
}

function Site({ app }: { app: Application }) {
  const { view } = useStage();
  const [answer, setAnswer] = useState<Answer>();
  const [failed, setFailed] = useState("");
  const [isSeen, setSeen] = useState(false);
  const box = useRef<HTMLElement>(null);
  const of = { ...view, page: "statistics" as const, app: app.id };
  const load = () =>
    void inTurn(() => dashboard({ view: of, zone: app.zone, dimensions: [], limit: 1, interval: intervalOf(of) })).then(
      (found) => {
        setAnswer(found);
        setFailed("");
      },
      (error: Refused) => setFailed(error.message || say("offline")),
    );
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => setSeen(entries.some((entry) => entry.isIntersecting)), { rootMargin: "200px" });
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (isSeen && !answer) load();
  }, [isSeen]);
  useEvery(isSeen ? 30 : 0, load);
  const visitors = answer?.total.visitors;
  return (
    <section class="card site" ref={box} aria-busy={!answer && !failed}>
      <h2>
        <Link to={of}>{app.name}</Link>
        {answer?.current ? (
          <span class="current on">
            <i />
            {number(answer.current)} {say("now")}
          </span>
        ) : null}
      </h2>
      <p class="note">{app.domains?.slice(0, 2).join(", ") || app.id}</p>
      {failed ? (
        <p class="nothing">{failed}</p>
      ) : (
        <>
          <Spark values={answer?.points.map((point) => point.counts.visitors ?? 0) ?? []} />
          <p class="figures">
            <b data-visitors={visitors}>{visitors === undefined ? "–" : compact(visitors)}</b> {say("visitors")}
            <span class="grow" />
            {answer?.before && <Change metric="visitors" now={visitors} before={answer.before.total.visitors} />}
          </p>
        </>
      )}
    </section>
  );
}
