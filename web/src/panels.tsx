// The panels of people: questions that are kept under a name, in a grid and in the chosen period.
import { useEffect, useState } from "preact/hooks";
import { type Answer, type KeptPanel, Refused, type Row, ask, rows, value, withMeaning } from "./api";
import { Link, allApplications } from "./bar";
import { Chart } from "./chart";
import { asked } from "./days";
import { spoken } from "./filters";
import { Frame, Remove, askOf, useApp, useLoad } from "./frame";
import { written } from "./metric";
import { Item, Menu } from "./picker";
import { Change, Waiting } from "./tiles";
import { Notice } from "./states";
import { useEvery, useStage } from "./use";
import { type Filter, type Metric, type View, readFilter, toPage } from "./view";
import { FORM_WORDS, compact, decimals, fullName, language, learn, money, nameOf, number, oneOf, say } from "./words";

type Said = Record<string, any>;

/** How many questions are asked at a time: whoever has many panels leaves others their turn. */
const AT_A_TIME = 3;
/** So many seconds between two looks, where the period goes on. */
const LOOK = 60;

// What no other page needs stands here, and not in the style of all.
const TILES = { gridTemplateColumns: "repeat(auto-fit, minmax(132px, 1fr))", border: 0, padding: 0, marginLeft: "-12px" };
/** Charts and tables have their room at the sides already. */
const WIDE = { margin: "0 -16px" };
/** So high as the drawing will be, so that nothing moves when it comes. */
const bodyOf = ({ drawing, limit }: KeptPanel) =>
  drawing === "number" ? { height: "auto", minHeight: "104px" } : drawing === "line" ? { height: "280px" } : { height: drawing === "bars" ? `${Math.min(300, 48 + limit * 36)}px` : "300px", overflow: "auto" };
const HEAD = { padding: "16px 2px 12px", fontSize: "15px" };

let running = 0;
const waiting: (() => void)[] = [];

/** Waits for its turn. */
async function inTurn<T>(run: () => Promise<T>): Promise<T> {
  if (running < AT_A_TIME) running += 1;
  else await new Promise<void>((go) => waiting.push(go));
  try {
    return await run();
  } finally {
    // The next one has this place, and nobody comes between.
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

/** Where its answer is. */
function answerPath(view: View, zone: string | undefined, panel: KeptPanel, kind = ""): string {
  const query = new URLSearchParams({ application_id: view.app, period: asked(view.period, zone) });
  if (view.share) query.set("share", view.share);
  if (panel.drawing === "number" && !kind) query.set("compare", "previous");
  return `/api/v1/panels/${panel.id}/statistics${kind}?${query}`;
}

/** Asks in turn; once more where the server was busy. */
function useAnswer(panel: KeptPanel, zone: string | undefined, tick: number) {
  const { view } = useStage();
  const [state, setState] = useState<{ key: string; said?: Said; error?: Refused }>({ key: "" });
  const key = JSON.stringify([view.app, view.share, view.period, panel]);
  useEffect(() => {
    const control = new AbortController();
    const path = answerPath(view, zone, panel);
    const once = async (again: number): Promise<Said> => {
      try {
        return await inTurn(() => (control.signal.aborted ? Promise.reject(control.signal.reason) : ask<Said>("GET", path, undefined, control.signal)));
      } catch (error) {
        if (!again || control.signal.aborted || !(error instanceof Refused) || ![0, 429, 503].includes(error.status)) throw error;
        await new Promise((go) => setTimeout(go, 1500));
        return once(again - 1);
      }
    };
    once(2).then(
      (said) => setState({ key, said: withMeaning({ ...said, dimension: panel.dimension }, panel.filters) }),
      (error) => !control.signal.aborted && setState({ key, error: error instanceof Refused ? error : new Refused(0, "") }),
    );
    return () => control.abort();
  }, [key, tick]);
  return state.key === key ? state : { key };
}

/** What a metric is called. */
const named = (panel: KeptPanel, metric: string) => (metric === "sum" ? say("sum_of", panel.sum ?? "") : metric === "orders" ? say("orders") : say(metric as Metric));

/** A number to draw by. */
function worth(metric: string, row: Row | undefined): number {
  if (!row) return 0;
  if (metric === "revenue") return Number(row.revenue?.[0]?.amount ?? 0);
  if (metric === "sum") return Number(row.amounts?.sum ?? 0);
  if (metric === "orders") return Number(row.amounts?.orders ?? 0);
  return value(metric as Metric, row.counts) ?? 0;
}

/** As people read it. */
function text(metric: string, row: Row): string {
  if (metric === "revenue") return money(row.revenue ?? []) || "–";
  if (metric === "sum") return decimals(String(row.amounts?.sum ?? "0"));
  if (metric === "orders") return compact(worth(metric, row));
  return written(metric as Metric, value(metric as Metric, row.counts));
}

function Numbers({ panel, said }: { panel: KeptPanel; said: Said }) {
  const [total, before] = rows([said.total, ...(said.total_before ? [said.total_before] : [])], "none");
  return (
    <div class="tiles" style={TILES}>
      {panel.metrics.map((metric) => (
        <div class="tile" key={metric} data-metric={metric}>
          <span class="name">{named(panel, metric)}</span>
          <span class="big" title={text(metric, total!) === "–" ? "–" : number(worth(metric, total))}>{text(metric, total!)}</span>
          {before && worth(metric, before) ? <Change metric={metric as Metric} now={worth(metric, total)} before={worth(metric, before)} /> : <span class="change" />}
        </div>
      ))}
    </div>
  );
}

function Line({ panel, said }: { panel: KeptPanel; said: Said }) {
  const [metric] = panel.metrics as [string];
  const points = rows(said.series, "at").map((row) => ({ ...row, counts: { ...row.counts, ...(["revenue", "sum", "orders"].includes(metric) && { [metric]: worth(metric, row) }) } }));
  const answer = { points, happened: [] as Answer["happened"], isOver: said.period.is_over, hasNoViews: said.hasNoViews } as unknown as Answer;
  return <div style={WIDE}><Chart answer={answer} metric={metric as Metric} name={named(panel, metric)} table={false} open={() => {}} /></div>;
}

/** A value, which leads to the statistics of what it filters. */
function Name({ panel, name }: { panel: KeptPanel; name: string }) {
  const { view } = useStage();
  const { dimension } = panel;
  if (!dimension) return <span class="text">{fullName(name)}</span>;
  const shown = nameOf(dimension, name);
  if (name === "(other)" || dimension === "hour") return <span class="text">{shown}</span>;
  return <Link kind="text" to={statistics(view, panel, { dimension, operator: "is", value: name })}>{shown}</Link>;
}

/** The statistics under the filters of a panel. */
const statistics = (view: View, panel: KeptPanel, more?: Filter): View => ({ ...toPage(view, "statistics"), filters: [...panel.filters.map(readFilter), more].filter((one) => one !== undefined) });

function Bars({ panel, said }: { panel: KeptPanel; said: Said }) {
  const [metric] = panel.metrics as [string];
  const all = rows(said.values, "value");
  const most = Math.max(...all.map((row) => worth(metric, row)), Number.MIN_VALUE);
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">{oneOf(panel.dimension!)}</th>
          <th scope="col" class="n">{metric === "sum" ? say("property_sum") : named(panel, metric)}</th>
        </tr>
      </thead>
      <tbody>
        {all.map((row) => (
          <tr key={row.name} data-value={row.name}>
            <th scope="row">
              <i class="fill" style={{ width: `${Math.max(0, worth(metric, row) / most) * 100}%` }} />
              <Name panel={panel} name={row.name} />
            </th>
            <td class="n" title={text(metric, row)} data-number={worth(metric, row)}>{text(metric, row)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Table({ panel, said }: { panel: KeptPanel; said: Said }) {
  const all = panel.dimension ? rows(said.values, "value") : rows(said.series, "at").reverse();
  return (
    <table class="numbers">
      <thead>
        <tr>
          <th scope="col">{panel.dimension ? oneOf(panel.dimension) : say("time")}</th>
          {panel.metrics.map((metric) => <th scope="col" key={metric}>{named(panel, metric)}</th>)}
        </tr>
      </thead>
      <tbody>
        {all.map((row) => (
          <tr key={row.name} data-value={row.name}>
            <th scope="row"><Name panel={panel} name={row.name} /></th>
            {panel.metrics.map((metric) => <td key={metric} data-number={worth(metric, row)}>{text(metric, row)}</td>)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const DRAWINGS = { number: Numbers, line: Line, bars: Bars, table: Table };

interface CardProps {
  panel: KeptPanel;
  zone: string | undefined;
  tick: number;
  /** How many are ordered with it. */
  of: number;
  mayChange: boolean;
  edit: () => void;
  changed: () => void;
}

function Card({ panel, zone, tick, of, mayChange, edit, changed }: CardProps) {
  const { view } = useStage();
  const { said, error } = useAnswer(panel, zone, tick);
  const [failed, setFailed] = useState("");
  const path = `/api/v1/panels/${panel.id}?application_id=${encodeURIComponent(view.app)}`;
  const deed = (method: string, body?: Said) => ask(method, path, body).then(changed, (error: Refused) => setFailed(error.message || say("offline")));
  const Drawn = DRAWINGS[panel.drawing];
  const filters = panel.filters.map(readFilter).filter((one) => one !== undefined);
  const isEmpty = said && (said.values ?? said.series)?.length === 0;
  return (
    <section class="card panel" aria-label={panel.name} data-own={panel.id} data-place={panel.place}>
      <header class="with-choices">
        <h2><bdi>{panel.name}</bdi></h2>
        {!view.wall && (
          <Menu label="⋯" name={`${say("menu")}: ${panel.name}`} kind="right">
            {(close) => (
              <>
                <Item to={statistics(view, panel)} close={close}>{say("statistics")}</Item>
                <a download href={answerPath(view, zone, panel, ".csv")}>{say("csv_of")}</a>
                {mayChange && (
                  <>
                    {panel.place > 1 && <button type="button" onClick={() => { close(); void deed("PATCH", { place: panel.place - 1 }); }}>{say("move_before")}</button>}
                    {panel.place < of && <button type="button" onClick={() => { close(); void deed("PATCH", { place: panel.place + 1 }); }}>{say("move_behind")}</button>}
                    <button type="button" onClick={() => { close(); edit(); }}>{say("change_it")}</button>
                    <Remove name={panel.name} word="remove_panel" run={() => deed("DELETE")} />
                  </>
                )}
              </>
            )}
          </Menu>
        )}
      </header>
      {filters.length > 0 && <p class="note">{filters.map(spoken).join(" · ")}</p>}
      <div class="body" style={bodyOf(panel)} aria-busy={!said && !error}>
        {error ? (
          <p class="warn" role="status">{error.message || say("offline")}</p>
        ) : !said ? (
          <Waiting rows={panel.drawing === "number" ? 2 : 5} />
        ) : isEmpty ? (
          <p class="nothing">{say("nothing")}</p>
        ) : panel.drawing === "table" ? (
          <div class="scroll" style={{ margin: 0 }} tabIndex={0} role="region" aria-label={`${panel.name}, ${say("table")}`}><Drawn panel={panel} said={said} /></div>
        ) : (
          <Drawn panel={panel} said={said} />
        )}
      </div>
      {said?.notes?.includes("property") && <p class="note" data-part>{say("note_property")}</p>}
      {failed && <p class="warn" role="alert">{failed}</p>}
    </section>
  );
}

export function PanelsPage() {
  const { view } = useStage();
  const app = useApp();
  const zone = app.zone || undefined;
  const [tick, setTick] = useState(0);
  const [edited, setEdited] = useState<Partial<KeptPanel>>();
  const [form, setForm] = useState<typeof import("./panelform")>();
  const [role, setRole] = useState("");
  const loaded = useLoad<KeptPanel[]>(`panels ${view.app} ${view.share}`, (signal) => askOf<Said>(view, "/api/v1/panels", [], signal).then((said) => said.panels));
  useEffect(() => {
    if (!view.share) allApplications().then((all) => setRole(all.find((one) => one.id === view.app)?.role ?? ""), () => {});
  }, [view.app]);
  useEvery(LOOK, () => setTick((now) => now + 1));
  const mayEdit = role === "editor" || role === "owner";
  const open = (panel: Partial<KeptPanel>) => {
    setEdited(panel);
    if (!form) void Promise.all([import("./panelform"), learn(FORM_WORDS[language]!)]).then(([loaded]) => setForm(() => loaded), () => setEdited(undefined));
  };
  const all = loaded.value;
  const own = all?.filter((one) => one.visibility === "personal") ?? [];
  const others = all?.filter((one) => one.visibility !== "personal") ?? [];
  const grid = (panels: KeptPanel[]) => (
    <div class="grid">
      {panels.map((panel) => (
        <Card key={panel.id} panel={panel} zone={zone} tick={tick} of={panels.length} mayChange={!view.share && (panel.visibility === "personal" || mayEdit)} edit={() => open(panel)} changed={loaded.reload} />
      ))}
    </div>
  );
  const add = !view.share && !view.wall && all && (
    <button type="button" class="pill lined" onClick={() => open({})}>{say("add_panel")}</button>
  );
  return (
    <Frame app={app} title={say("to_panels")} has={["period"]} bar={all?.length ? add : undefined} loaded={loaded}>
      {!all || !zone ? (
        <section class="card panel rows" aria-busy="true" />
      ) : all.length === 0 ? (
        <Notice picture="none" title={say("no_panels")}>
          <p class="note">{say("no_panels_about")}</p>
          {add}
        </Notice>
      ) : (
        <>
          {own.length > 0 && <><h2 style={HEAD}>{say("own_panels")}</h2>{grid(own)}</>}
          {others.length > 0 && <><h2 style={HEAD}>{say("panels_of_all")}</h2>{grid(others)}</>}
        </>
      )}
      {edited && form && <form.PanelForm panel={edited} mayEdit={mayEdit} close={() => setEdited(undefined)} saved={() => { setEdited(undefined); loaded.reload(); }} />}
    </Frame>
  );
}
