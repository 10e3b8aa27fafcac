// The dialog that makes a panel, or changes one: loaded where somebody wants one.
import { useEffect, useState } from "preact/hooks";
import { type KeptPanel, Refused, VISIBILITIES, ask, propertiesOf } from "./api";
import { Link, allApplications } from "./bar";
import { Modal } from "./dialog";
import "./filters"; // What all pages share stays one file.
import { useStage } from "./use";
import { METRICS, PANELS, PROPERTY, toPage, write } from "./view";
import { type Key, oneOf, say } from "./words";

const ALL_METRICS = [...METRICS, "events", "orders", "revenue", "sum"] as const;
const INTERVALS = ["hour", "day", "month"] as const;
const MORE = ["product_name", "product_category", "click_url", "outbound_url", "currency"];

// What no other form needs stands here, and not in the style of all.
const CHECKS = { display: "flex", flexWrap: "wrap", gap: "6px 16px", border: 0, padding: 0 } as const;
const LEGEND = { padding: "0 0 6px", fontSize: "13px", fontWeight: 550 };
const CHECK = { display: "flex", gap: "6px", fontWeight: 450 };
const BOX = { width: "auto", height: "auto" };
const TEXT = { width: "100%", padding: "8px 12px", border: "1px solid light-dark(#8b95a7, #5d6c8a)", borderRadius: "9px", background: "var(--card)", color: "inherit", font: "13px/20px ui-monospace, monospace" };

interface Props {
  /** What is there already, or is on the screen; with an `id`, it is changed. */
  panel: Partial<KeptPanel>;
  mayEdit: boolean;
  close: () => void;
  saved: (panel: KeptPanel) => void;
}

/** The properties of the application, asked for once. */
function useProperties(app: string): string[] {
  const [all, setAll] = useState(propertiesOf(app));
  useEffect(() => {
    if (!all.length) allApplications().then((apps) => setAll(apps.find((one) => one.id === app)?.properties ?? []), () => {});
  }, [app]);
  return all;
}

export function PanelForm({ panel, mayEdit, close, saved }: Props) {
  const { view } = useStage();
  const properties = useProperties(view.app);
  const [drawing, setDrawing] = useState<KeptPanel["drawing"]>(panel.drawing ?? "bars");
  const [metrics, setMetrics] = useState<string[]>(panel.metrics ?? ["visitors"]);
  const [failed, setFailed] = useState("");
  const isSeveral = drawing === "number" || drawing === "table";
  const chosen = isSeveral ? metrics : metrics.slice(0, 1);
  const dimensions = [...PANELS.sources, ...PANELS.pages, ...PANELS.places, ...PANELS.devices, ...PANELS.events, ...MORE, ...properties.map((name) => PROPERTY + name)];
  const known = panel.dimension && !dimensions.includes(panel.dimension as never) ? [...dimensions, panel.dimension] : dimensions;
  const submit = (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const by = String(data.get("by") ?? "");
    const isTime = (INTERVALS as readonly string[]).includes(by);
    const body = {
      name: String(data.get("name")).trim(),
      drawing,
      metrics: chosen,
      interval: isTime ? by : null,
      dimension: by && !isTime ? by : null,
      sum: chosen.includes("sum") ? String(data.get("sum") ?? "") : null,
      filters: String(data.get("filters")).split("\n").map((line) => line.trim()).filter(Boolean),
      limit: Number(data.get("limit") ?? panel.limit ?? 10) || 10,
      visibility: data.get("visibility"),
    };
    const query = `?application_id=${encodeURIComponent(view.app)}`;
    const path = panel.id ? `/api/v1/panels/${panel.id}${query}` : `/api/v1/panels${query}`;
    ask<KeptPanel>(panel.id ? "PATCH" : "POST", path, body).then(saved, (error: Refused) => setFailed(error.message || say("offline")));
  };
  const choice = (one: string) => (one === "sum" ? say("property_sum") : one === "orders" ? say("orders") : say(one as Key));
  return (
    <Modal title={say(panel.id ? "change_panel" : "new_panel")} close={close}>
      <form class="form" onSubmit={submit}>
        <label>
          {say("panel_name")}
          <input name="name" required maxLength={100} autocomplete="off" autofocus defaultValue={panel.name ?? ""} />
        </label>
        <label>
          {say("drawing")}
          <select name="drawing" value={drawing} onChange={(event) => setDrawing(event.currentTarget.value as KeptPanel["drawing"])}>
            {(["number", "line", "bars", "table"] as const).map((one) => <option key={one} value={one}>{say(`drawn_${one}`)}</option>)}
          </select>
        </label>
        {isSeveral ? (
          <fieldset style={CHECKS}>
            <legend style={LEGEND}>{say("metrics")}</legend>
            {ALL_METRICS.map((one) => (
              <label key={one} style={CHECK}>
                <input type="checkbox" style={BOX} name="metric" value={one} checked={metrics.includes(one)} onChange={(event) => setMetrics(event.currentTarget.checked ? [...metrics, one] : metrics.filter((other) => other !== one))} />
                {choice(one)}
              </label>
            ))}
          </fieldset>
        ) : (
          <label>
            {say("metrics")}
            <select name="metric" value={chosen[0]} onChange={(event) => setMetrics([event.currentTarget.value])}>
              {ALL_METRICS.map((one) => <option key={one} value={one}>{choice(one)}</option>)}
            </select>
          </label>
        )}
        {chosen.includes("sum") && (
          <label>
            {say("which_property")}
            <input name="sum" required list="properties" autocomplete="off" defaultValue={panel.sum ?? properties[0] ?? ""} />
            <datalist id="properties">{properties.map((one) => <option key={one} value={one} />)}</datalist>
          </label>
        )}
        {drawing !== "number" && (
          <label>
            {say("counted_by")}
            <select name="by" key={drawing}>
              {drawing !== "bars" && INTERVALS.map((one) => <option key={one} value={one} selected={one === (panel.interval ?? "day")}>{say(`by_${one}`)}</option>)}
              {drawing !== "line" && known.map((one) => <option key={one} value={one} selected={one === panel.dimension}>{MORE.includes(one) ? say(`one_${one}` as Key) : oneOf(one)}</option>)}
            </select>
          </label>
        )}
        {(drawing === "bars" || drawing === "table") && (
          <label>
            {say("most_values")}
            <input name="limit" type="number" min={1} max={100} defaultValue={String(panel.limit ?? 10)} />
          </label>
        )}
        <label>
          {say("filters")}
          <textarea name="filters" style={TEXT} rows={2} spellcheck={false} placeholder="country is DE" defaultValue={(panel.filters ?? view.filters.map(write)).join("\n")} />
        </label>
        <label>
          {say("panel_seen_by")}
          <select name="visibility">
            {VISIBILITIES.filter((one) => mayEdit || one === "personal").map((one) => <option key={one} value={one} selected={one === (panel.visibility ?? "personal")}>{say(`panel_${one}`)}</option>)}
          </select>
        </label>
        {failed && <p class="warn" role="alert">{failed}</p>}
        <footer>
          <button type="submit" class="main" disabled={chosen.length === 0}>{say("save_it")}</button>
        </footer>
      </form>
    </Modal>
  );
}

/** Makes a panel of what is on the screen, and leads to it. */
export function SavePanel({ panel, close }: { panel: Partial<KeptPanel>; close: () => void }) {
  const { view } = useStage();
  const [mayEdit, setMayEdit] = useState<boolean>();
  const [kept, setKept] = useState<KeptPanel>();
  useEffect(() => {
    allApplications().then((apps) => setMayEdit(["editor", "owner"].includes(apps.find((one) => one.id === view.app)?.role ?? "")), () => setMayEdit(false));
  }, []);
  if (mayEdit === undefined) return null;
  if (!kept) return <PanelForm panel={panel} mayEdit={mayEdit} close={close} saved={setKept} />;
  return (
    <Modal title={say("panel_kept")} close={close}>
      <div class="form">
        <p role="status"><bdi>{kept.name}</bdi></p>
        <footer><Link kind="main" to={{ ...toPage(view, "panels"), filters: [] }}>{say("to_panels")}</Link></footer>
      </div>
    </Modal>
  );
}
