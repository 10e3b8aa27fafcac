// Settings of an application.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Refused, type Row, VISIBILITIES, ask, dashboard } from "./api";
import { Card, Frame, type Loaded, Remove, useApp, useLoad } from "./frame";
import { Copied } from "./states";
import { useStage } from "./use";
import { type Key, LANGUAGES, SEGMENT_WORDS, ago, dateTime, language, learn, range, say } from "./words";

type Said = Record<string, any>;

const app = (id: string) => `application_id=${encodeURIComponent(id)}`;

const isSettled = (loaded: Loaded<unknown>, isAsked: boolean) => !isAsked || loaded.value !== undefined || loaded.error !== undefined;

export function SettingsPage() {
  const { view } = useStage();
  const id = view.app;
  const known = useApp();
  const [isWaiting, setWaiting] = useState(false);
  const path = `/api/v1/applications/${encodeURIComponent(id)}`;
  const loaded = useLoad<Said>(`app ${id}`, (signal) => ask<Said>("GET", path, undefined, signal), isWaiting ? 3 : 30);
  const who = useLoad<Said>("who", () => ask<Said>("GET", "/api/v1/session"));
  const said = loaded.value;
  useEffect(() => setWaiting(!!said?.is_waiting), [said?.is_waiting]);
  const mayEdit = said?.role === "editor" || said?.role === "owner";
  const isOwner = !!who.value?.is_owner;
  const goals = useLoad<Said[]>(`goals ${id}`, () => ask<Said>("GET", `/api/v1/goals?${app(id)}`).then((all) => all.goals));
  const shares = useLoad<Said[]>(mayEdit ? `shares ${id}` : "", () => parts(`/api/v1/shares?${app(id)}`, "shares").then((all) => all.filter(isThere)));
  const reports = useLoad<Said>(mayEdit ? `reports ${id}` : "", (signal) => ask<Said>("GET", `/api/v1/reports?${app(id)}`, undefined, signal));
  const excluded = useLoad<Said>(mayEdit ? `exclusions ${id}` : "", (signal) => ask<Said>("GET", `/api/v1/exclusions?${app(id)}`, undefined, signal));
  const happened = useLoad<Said[]>(mayEdit ? `annotations ${id}` : "", () => parts(`/api/v1/annotations?limit=200&${app(id)}`, "annotations"));
  const saved = useLoad<Said[]>(`segments ${id}`, async () => {
    await learn(SEGMENT_WORDS[language]!);
    return (await ask<Said>("GET", `/api/v1/segments?limit=200&${app(id)}`)).segments;
  });
  const people = useLoad<Said[]>(isOwner ? "people" : "", () => ask<Said>("GET", "/api/v1/users").then((all) => all.users));
  const tokens = useLoad<Said[]>(isOwner ? `tokens ${id}` : "", () => parts("/api/v1/tokens", "tokens").then((all) => all.filter((one) => isThere(one) && (!one.applications || one.applications.includes(id)))));
  // All of it at once, so that nothing is pushed down by what comes later.
  const isReady = said && isSettled(who, true) && isSettled(goals, true) && isSettled(saved, true) && isSettled(shares, mayEdit) && isSettled(reports, mayEdit) && isSettled(excluded, mayEdit) && isSettled(happened, mayEdit) && isSettled(people, isOwner) && isSettled(tokens, isOwner);
  return (
    <Frame app={known} title={say("to_settings")} has={[]} loaded={loaded}>
      {!isReady ? (
        <section class="card panel rows" aria-busy="true" />
      ) : (
        <div class="settings">
          <Snippet said={said} path={path} mayEdit={mayEdit} />
          <Properties all={said.properties} path={path} mayEdit={mayEdit} changed={loaded.reload} />
          <Goals id={id} mayEdit={mayEdit} loaded={goals} />
          {mayEdit ? <Shares id={id} loaded={shares} /> : <Card title={say("shares")}><p class="note">{say("editors_only")}</p></Card>}
          <Segments id={id} mayEdit={mayEdit} loaded={saved} />
          {mayEdit && <Exclusions id={id} said={excluded} />}
          {mayEdit && <Annotations id={id} loaded={happened} />}
          {mayEdit && <Reports id={id} said={reports} />}
          {isOwner && <People id={id} loaded={people} />}
          {isOwner && <Tokens id={id} loaded={tokens} />}
        </div>
      )}
    </Frame>
  );
}

function Snippet({ said, path, mayEdit }: { said: Said; path: string; mayEdit: boolean }) {
  const [name, setName] = useState<string>(said.name);
  const [failed, setFailed] = useState("");
  const change = (body: Said) =>
    void ask("PATCH", path, body).then(() => location.reload(), (error: Refused) => setFailed(error.message || say("offline")));
  const rename = (event: Event) => {
    event.preventDefault();
    change({ name });
  };
  return (
    <Card title={say("install")} about={say("install_about")} name="install">
      <p class={said.is_waiting ? "current" : "current on"} role="status" data-waiting={String(!!said.is_waiting)}>
        <i />
        {said.is_waiting ? say("waiting") : said.last_event_at ? say("last_event", ago(said.last_event_at)) : say("unknown")}
      </p>
      {said.snippet ? <Copied text={said.snippet} /> : <p class="note">{say("no_snippet")}</p>}
      <dl class="facts">
        <div><dt>{say("app_id")}</dt><dd><code>{said.id}</code></dd></div>
        <div><dt>{say("time_zone")}</dt><dd>{said.time_zone}</dd></div>
        <div><dt>{say("domains")}</dt><dd>{said.domains?.join(", ") || "–"}</dd></div>
        {!mayEdit && <div><dt>{say("views_are")}</dt><dd>{say(`views_${said.page_views as "events"}`)}</dd></div>}
      </dl>
      {mayEdit && (
        <form class="add" onSubmit={rename}>
          <label>
            {say("name")}
            <input name="name" required maxLength={200} value={name} onInput={(event) => setName(event.currentTarget.value)} />
          </label>
          <button type="submit" class="pill lined" disabled={name.trim() === said.name || !name.trim()}>
            {say("rename")}
          </button>
        </form>
      )}
      {mayEdit && (
        <div class="add">
          <label>
            {say("views_are")}
            <select name="page_views" value={said.page_views} onChange={(event) => change({ page_views: event.currentTarget.value })}>
              {(["events", "requests"] as const).map((one) => <option key={one} value={one}>{say(`views_${one}`)}</option>)}
            </select>
          </label>
          <p class="note">{say("views_about")}</p>
        </div>
      )}
      {failed && <p class="warn" role="alert">{failed}</p>}
    </Card>
  );
}

interface Field {
  name: string;
  label: Key;
  type?: "text" | "number" | "password" | "select" | "date";
  options?: [string, string][];
  optional?: boolean;
  /** Called with what was chosen. */
  chosen?: (value: string) => void;
  /** What may be meant. */
  known?: string[] | undefined;
}

interface ListProps {
  /** What it is a list of. */
  name: Key;
  loaded: Loaded<Said[]>;
  columns: [Key, (one: Said) => ComponentChildren][];
  remove?: (one: Said) => Promise<unknown>;
  removeWord?: Key;
  fields: Field[];
  add?: (fields: Record<string, string>) => Promise<Said>;
  addWord: Key;
  /** The secret that is told once. */
  secret?: (made: Said) => string | undefined;
}

/** A list, with a form that adds to it. */
function List({ name, loaded, columns, remove, removeWord = "remove_it", fields, add, addWord, secret }: ListProps) {
  const [failed, setFailed] = useState("");
  const [made, setMade] = useState("");
  const fail = (error: Refused) => setFailed(error.message || say("offline"));
  const submit = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const data = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]).filter(([, value]) => value));
    setFailed("");
    add!(data).then((said) => {
      form.reset();
      setMade(secret?.(said) ?? "");
      loaded.reload();
    }, fail);
  };
  const rows = loaded.value ?? [];
  return (
    <>
      {loaded.error && <p class="warn" role="alert">{loaded.error.message || say("offline")}</p>}
      {loaded.value && rows.length === 0 && <p class="note">{say("none_yet")}</p>}
      {rows.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={`${say(name)}, ${say("table")}`}>
          <table class="numbers">
            <thead>
              <tr>
                {columns.map(([word]) => <th scope="col" key={word}>{say(word)}</th>)}
                {remove && <td />}
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.id}>
                  {columns.map(([word, show], n) => (n ? <td key={word}>{show(one)}</td> : <th scope="row" key={word}>{show(one)}</th>))}
                  {remove && <td><Remove name={String(one.name)} word={removeWord} run={() => remove(one).then(() => loaded.reload(), fail)} /></td>}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {made && (
        <div role="status">
          <p class="note">{say("told_once")}</p>
          <Copied text={made} />
        </div>
      )}
      {add && (
        <form class="add" onSubmit={submit}>
          {fields.map((field) => (
            <label key={field.name}>
              {say(field.label)}
              {field.type === "select" ? (
                <select name={field.name} onChange={(event) => field.chosen?.(event.currentTarget.value)}>
                  {field.options!.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
                </select>
              ) : (
                <input name={field.name} list={field.known && `known-${field.name}`} type={(field.type ?? "text") as "text"} min={1} max={36500} autocomplete={field.type === "password" ? "new-password" : "off"} required={!field.optional} maxLength={1000} placeholder={field.optional ? say("optional") : ""} />
              )}
              {field.known && <datalist id={`known-${field.name}`}>{field.known.map((one) => <option key={one} value={one} />)}</datalist>}
            </label>
          ))}
          <button type="submit" class="pill lined">{say(addWord)}</button>
        </form>
      )}
      {failed && <p class="warn" role="alert">{failed}</p>}
    </>
  );
}

interface OfApp {
  id: string;
  loaded: Loaded<Said[]>;
}

/** The events and pages of the last days with the most visitors, of which a goal may be one. */
function useKnown(isNeeded: boolean): Record<string, string[]> {
  const { view } = useStage();
  const [known, setKnown] = useState<Record<string, string[]>>({});
  useEffect(() => {
    if (!isNeeded) return;
    const names = (rows: Row[] | undefined) => (rows ?? []).map((row) => row.name).filter((name) => name && name !== "(other)");
    dashboard({ view: { ...view, period: "30d", filters: [] }, zone: undefined, dimensions: ["event", "page"], limit: 50, interval: "day" }).then(
      ({ lists }) => setKnown({ event: names(lists.event?.rows), page: names(lists.page?.rows) }),
      () => {}, // Suggestions are not needed.
    );
  }, [isNeeded, view.app]);
  return known;
}

function Goals({ id, mayEdit, loaded }: OfApp & { mayEdit: boolean }) {
  const known = useKnown(mayEdit);
  const [kind, setKind] = useState("event");
  const add = async ({ name, kind, value }: Record<string, string>) => {
    const made = await ask<Said>("POST", `/api/v1/goals?${app(id)}`, { name, [kind!]: value });
    setKind("event"); // as the empty form has it
    return made;
  };
  return (
    <Card title={say("goal")} about={say("goals_about")} name="goals">
      <List
        name="goal"
        loaded={loaded}
        columns={[["name", (one) => one.name], ["reached_by", (one) => (one.event ? `${say("one_event")} ${one.event}` : `${say("one_page")} ${one.page}`)]]}
        {...(mayEdit && {
          remove: (one: Said) => ask("DELETE", `/api/v1/goals/${one.id}?${app(id)}`),
          add,
        })}
        fields={[
          { name: "name", label: "name" },
          { name: "kind", label: "reached_by", type: "select", options: [["event", say("one_event")], ["page", say("one_page")]], chosen: setKind },
          { name: "value", label: "event_or_path", known: known[kind] },
        ]}
        addWord="add_goal"
      />
    </Card>
  );
}

/** The parameters of events that statistics keep the values of. */
function Properties({ all, path, mayEdit, changed }: { all: string[]; path: string; mayEdit: boolean; changed: () => void }) {
  const choose = (properties: string[]) => ask<Said>("PATCH", path, { properties });
  return (
    <Card title={say("properties")} about={say("properties_about")} name="properties">
      <Copied text={'alt("order", { plan: "pro", total: 59.9 })'} />
      <List
        name="properties"
        loaded={{ value: all.map((name) => ({ id: name, name })), error: undefined, isOld: false, reload: changed }}
        columns={[["name", (one) => one.name]]}
        {...(mayEdit && {
          remove: (one: Said) => choose(all.filter((name) => name !== one.name)),
          add: ({ name }: Record<string, string>) => choose([...all, name!]),
        })}
        fields={[{ name: "name", label: "name" }]}
        addWord="add_property"
      />
    </Card>
  );
}

function Segments({ id, mayEdit, loaded }: OfApp & { mayEdit: boolean }) {
  const [failed, setFailed] = useState("");
  const [renamed, setRenamed] = useState<number>();
  const change = (one: Said, to: Said) => {
    setFailed("");
    ask("PATCH", `/api/v1/segments/${one.id}?${app(id)}`, to).then(
      () => {
        setRenamed(undefined);
        loaded.reload();
      },
      (error: Refused) => setFailed(error.message || say("offline")),
    );
  };
  const name = (one: Said) => {
    if (!mayEdit) return one.name;
    if (renamed !== one.id) return <>{one.name} <button type="button" class="quiet" aria-label={`${say("rename")}: ${one.name}`} onClick={() => setRenamed(one.id)}>{say("rename")}</button></>;
    const submit = (event: Event) => {
      event.preventDefault();
      change(one, { name: new FormData(event.currentTarget as HTMLFormElement).get("name") });
    };
    return (
      <form class="add" onSubmit={submit}>
        <input name="name" required maxLength={100} autocomplete="off" autofocus aria-label={say("name")} defaultValue={one.name} />
        <button type="submit" class="pill lined">{say("rename")}</button>
      </form>
    );
  };
  const seen = (one: Said) => (
    <select aria-label={`${say("seen_by")}: ${one.name}`} value={one.visibility} disabled={!mayEdit} onChange={(event) => change(one, { visibility: event.currentTarget.value })}>
      {VISIBILITIES.map((who) => <option key={who} value={who}>{say(`seen_${who}`)}</option>)}
    </select>
  );
  return (
    <Card title={say("segments")} about={say("segments_about")} name="segments">
      <List
        name="segments"
        loaded={loaded}
        columns={[["name", name], ["filters", (one) => one.filters.map((text: string) => <div key={text}>{text}</div>)], ["seen_by", seen], ["made_by", (one) => one.created_by]]}
        {...(mayEdit && { remove: (one: Said) => ask("DELETE", `/api/v1/segments/${one.id}?${app(id)}`) })}
        fields={[]}
        addWord="save_segment"
      />
      {failed && <p class="warn" role="alert">{failed}</p>}
    </Card>
  );
}

const days = (fields: Record<string, string>) => (fields.days ? { days: Number(fields.days) } : {});
const until = (one: Said) => (one.expires_at ? dateTime(one.expires_at) : say("for_ever"));
const isThere = (one: Said) => !one.revoked_at;

/** All of a list that comes in parts; at most so many parts. */
async function parts(path: string, name: string): Promise<Said[]> {
  const all: Said[] = [];
  let cursor = "";
  for (let n = 0; n < 20; n += 1) {
    const said = await ask<Said>("GET", `${path}${cursor && `${path.includes("?") ? "&" : "?"}cursor=${cursor}`}`);
    all.push(...said[name]);
    if (!said.next) break;
    cursor = said.next;
  }
  return all;
}

function Shares({ id, loaded }: OfApp) {
  return (
    <Card title={say("shares")} about={say("shares_about")} name="shares">
      <List
        name="shares"
        loaded={loaded}
        columns={[["name", (one) => one.name], ["bound_to", (one) => one.filters?.join(", ") ?? say("everything")], ["password", (one) => say(one.has_password ? "yes" : "no")], ["valid_until", until]]}
        remove={(one) => ask("DELETE", `/api/v1/shares/${one.id}?${app(id)}`)}
        removeWord="revoke"
        fields={[{ name: "name", label: "name" }, { name: "password", label: "password", type: "password", optional: true }, { name: "days", label: "days_valid", type: "number", optional: true }]}
        add={(fields) => ask<Said>("POST", `/api/v1/shares?${app(id)}`, { name: fields.name, ...(fields.password && { password: fields.password }), ...days(fields) })}
        addWord="add_share"
        secret={(made) => made.url ?? `${location.origin}/share?${app(id)}&share=${made.share}`}
      />
    </Card>
  );
}

/** A text of any length, which does not make its table wide. */
const WRAPPED = { display: "inline-block", minWidth: "160px", whiteSpace: "normal", overflowWrap: "anywhere" } as const;

const KINDS: Record<string, Key> = { address: "by_address", country: "one_country", path: "one_page", host: "host" };

function Exclusions({ id, said }: { id: string; said: Loaded<Said> }) {
  const [failed, setFailed] = useState("");
  const path = `/api/v1/exclusions?${app(id)}`;
  const own = said.value?.your_address;
  const exclude = () => {
    setFailed("");
    ask("POST", path, { kind: "address", value: own.value }).then(said.reload, (error: Refused) => setFailed(error.message || say("offline")));
  };
  return (
    <Card title={say("exclusions")} about={say("exclusions_about")} name="exclusions">
      <List
        name="exclusions"
        loaded={{ ...said, value: said.value?.exclusions.map((one: Said) => ({ ...one, name: one.value })) }}
        columns={[
          ["excluded", (one) => <div style={WRAPPED}>{one.kind && <span class="note">{say(KINDS[one.kind]!)}</span>} {one.value}</div>],
          ["note", (one) => <span style={WRAPPED}>{one.note}</span>],
        ]}
        remove={(one) => ask("DELETE", `/api/v1/exclusions/${one.id}?${app(id)}`)}
        fields={[
          { name: "kind", label: "excluded", type: "select", options: Object.entries(KINDS).map(([kind, word]) => [kind, say(word)]) },
          { name: "value", label: "rule_value" },
          { name: "note", label: "note", optional: true },
        ]}
        add={({ kind, value, note }) => ask<Said>("POST", path, { kind, value, ...(note && { note }) })}
        addWord="add_exclusion"
      />
      {said.value?.exclusions.map((one: Said) => one.wrong && <p class="warn" role="alert" key={one.id}>{one.value}: {one.wrong}</p>)}
      {own && (
        <div data-own={own.address}>
          <p class="note">{say("your_address", own.address)}</p>
          {own.excluded_by !== null ? say("excluded") : <button type="button" class="pill lined" onClick={exclude}>{say("exclude_it", own.value)}</button>}
        </div>
      )}
      {failed && <p class="warn" role="alert">{failed}</p>}
    </Card>
  );
}

function Annotations({ id, loaded }: OfApp) {
  const [failed, setFailed] = useState("");
  const show = (one: Said) => {
    setFailed("");
    ask("PATCH", `/api/v1/annotations/${one.id}?${app(id)}`, { is_public: !one.is_public }).then(loaded.reload, (error: Refused) => setFailed(error.message || say("offline")));
  };
  return (
    <Card title={say("annotations")} about={say("annotations_about")} name="annotations">
      <List
        name="annotations"
        loaded={{ ...loaded, value: loaded.value?.map((one) => ({ ...one, name: `${one.day} ${one.text}` })) }}
        columns={[
          ["happened", (one) => <span style={WRAPPED}>{one.text}</span>],
          ["day", (one) => range(one.day, one.day)],
          ["in_shares", (one) => <input type="checkbox" aria-label={`${say("in_shares")}: ${one.name}`} checked={one.is_public} onChange={() => show(one)} />],
        ]}
        remove={(one) => ask("DELETE", `/api/v1/annotations/${one.id}?${app(id)}`)}
        fields={[
          { name: "day", label: "day", type: "date" },
          { name: "text", label: "happened" },
          { name: "shown", label: "in_shares", type: "select", options: [["", say("no")], ["1", say("yes")]] },
        ]}
        add={({ day, text, shown }) => ask<Said>("POST", `/api/v1/annotations?${app(id)}`, { day, text, is_public: !!shown })}
        addWord="add_annotation"
      />
      {failed && <p class="warn" role="alert">{failed}</p>}
    </Card>
  );
}

const EVERY = ["day", "week", "month"] as const;

function Reports({ id, said }: { id: string; said: Loaded<Said> }) {
  const [shown, setShown] = useState<Said>();
  const [failed, setFailed] = useState("");
  const preview = (one: Said) => {
    setFailed("");
    ask<Said>("GET", `/api/v1/reports/${one.id}/preview?${app(id)}`).then((told) => setShown({ ...told, id: one.id }), (error: Refused) => setFailed(error.message || say("offline")));
  };
  const channels: string[] = said.value?.channels ?? [];
  const why = said.value?.not_sent_because;
  const rows: Said[] | undefined = said.value?.reports;
  // The language of whoever looks is the first.
  const languages = Object.entries(LANGUAGES).sort(([a], [b]) => Number(b === language) - Number(a === language));
  return (
    <Card title={say("reports")} about={say("reports_about")} name="reports">
      {why ? <p class="warn">{why}</p> : said.value && !channels.length && <p class="note">{say("no_taker")}</p>}
      <List
        name="reports"
        loaded={{ ...said, value: rows }}
        columns={[
          ["name", (one) => one.name],
          ["report_every", (one) => say(`report_${one.every}` as Key)],
          ["report_channels", (one) => one.channels.join(", ")],
          ["language_of", (one) => LANGUAGES[one.language] ?? one.language],
          ["preview", (one) => <button type="button" class="quiet" aria-expanded={shown?.id === one.id} aria-controls="preview" aria-label={`${say("preview")}: ${one.name}`} onClick={() => (shown?.id === one.id ? setShown(undefined) : preview(one))}>{say("preview")}</button>],
        ]}
        remove={(one) => ask("DELETE", `/api/v1/reports/${one.id}?${app(id)}`)}
        fields={[
          { name: "name", label: "name" },
          { name: "every", label: "report_every", type: "select", options: EVERY.map((every) => [every, say(`report_${every}`)]) },
          { name: "channel", label: "report_channel", type: "select", options: channels.map((one) => [one, one]) },
          { name: "language", label: "language_of", type: "select", options: languages },
        ]}
        {...(!why && channels.length > 0 && { add: ({ channel, ...fields }: Record<string, string>) => ask<Said>("POST", `/api/v1/reports?${app(id)}`, { ...fields, channels: [channel] }) })}
        addWord="add_report"
      />
      {failed && <p class="warn" role="alert">{failed}</p>}
      {shown && rows?.some((one) => one.id === shown.id) && (
        <div class="scroll tall" id="preview" tabIndex={0} role="region" aria-label={say("preview")} data-preview={shown.id}>
          <pre>{shown.text}</pre>
        </div>
      )}
    </Card>
  );
}

const roles = (): [string, string][] => (["viewer", "editor", "owner"] as const).map((role) => [role, say(`role_${role}`)]);

function Tokens({ id, loaded }: OfApp) {
  return (
    <Card title={say("tokens")} about={say("tokens_about")} name="tokens">
      <List
        name="tokens"
        loaded={loaded}
        columns={[["name", (one) => one.name], ["role", (one) => say(`role_${one.role}` as Key)], ["applies_to", (one) => one.applications?.join(", ") ?? say("all")], ["last_used", (one) => (one.last_used_at ? ago(one.last_used_at) : "–")], ["valid_until", until]]}
        remove={(one) => ask("DELETE", `/api/v1/tokens/${one.id}`)}
        removeWord="revoke"
        fields={[{ name: "name", label: "name" }, { name: "role", label: "role", type: "select", options: roles() }, { name: "days", label: "days_valid", type: "number", optional: true }]}
        add={(fields) => ask<Said>("POST", "/api/v1/tokens", { name: fields.name, role: fields.role, applications: [id], ...days(fields) })}
        addWord="add_token"
        secret={(made) => made.token}
      />
    </Card>
  );
}

function People({ id, loaded }: OfApp) {
  const [link, setLink] = useState("");
  const [failed, setFailed] = useState("");
  const fail = (error: Refused) => setFailed(error.message || say("offline"));
  const roleOf = (one: Said) => one.grants.find((grant: Said) => grant.application === id)?.role ?? "none";
  const grant = (one: Said, role: string) => ask("PUT", `/api/v1/users/${one.id}/grants`, { application: id, role }).then(loaded.reload, fail);
  const linkOf = (one: Said) => ask<Said>("POST", `/api/v1/users/${one.id}/links`, undefined).then((made) => setLink(made.url ?? `${location.origin}/sign-in#link=${made.link}`), fail);
  return (
    <Card title={say("people")} about={say("people_about")} name="people">
      <List
        name="people"
        loaded={loaded}
        columns={[
          ["name", (one) => one.name],
          ["role", (one) => (one.is_owner ? say("owner_of_all") : (
            <select aria-label={`${say("role")}: ${one.name}`} value={roleOf(one)} onChange={(event) => void grant(one, event.currentTarget.value)}>
              {[["none", say("role_none")] as [string, string], ...roles()].map(([role, name]) => <option key={role} value={role}>{name}</option>)}
            </select>
          ))],
          ["sign_in", (one) => <button type="button" class="quiet" aria-label={`${say("one_time_link")}: ${one.name}`} onClick={() => void linkOf(one)}>{say("one_time_link")}</button>],
        ]}
        remove={(one) => ask("DELETE", `/api/v1/users/${one.id}`)}
        fields={[{ name: "name", label: "email" }]}
        add={(fields) => ask<Said>("POST", "/api/v1/users", { name: fields.name })}
        addWord="add_person"
      />
      {link && <div role="status"><p class="note">{say("told_once")}</p><Copied text={link} /></div>}
      {failed && <p class="warn" role="alert">{failed}</p>}
    </Card>
  );
}
