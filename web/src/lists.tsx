// The lists of alerts, rules, silences and channels.
import { useEffect, useState } from "preact/hooks";
import { Refused, ask } from "./api";
import { Link } from "./bar";
import { Labels, type Said, Severity, Span, State, against, lasted, of, to, useDeed } from "./bits";
import { Remove, useLoad } from "./frame";
import { Failed, Notice, Said as Words } from "./states";
import { useKeys, useStage } from "./use";
import { ago, dateTime, say } from "./words";

interface ListProps {
  all: Said[];
  isAll: boolean;
  mayEdit: boolean;
  rules?: Said[];
  isCut?: boolean;
  changed: () => void;
  /** Of several applications. */
  isOfSeveral?: boolean;
}

export function AlertList({ all, isAll, mayEdit, rules, isCut, changed, isOfSeveral }: ListProps) {
  const { view } = useStage();
  const [failed, run] = useDeed(changed);
  const [asked, setAsked] = useState<number[]>([]);
  useKeys((key) => {
    const rows = [...document.querySelectorAll(".alert-list > li")];
    const at = rows.findIndex((one) => one.contains(document.activeElement));
    if (key === "j" || key === "k") rows.at(key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at, 0) - (at > 0 ? 1 : 0))?.querySelector<HTMLElement>("a, button")?.focus();
    else if (key === "e") rows[at]?.querySelector<HTMLElement>(".act button")?.click();
  });
  if (all.length === 0) return <NoAlerts isAll={isAll} mayEdit={mayEdit} hasRules={rules === undefined || rules.length > 0} />;
  return (
    <>
      {failed && <p class="warn" role="alert">{failed}</p>}
      <ol class="alert-list">
        {all.map((one) => {
          const at = { ...to(view, { alert: [String(one.id)] }), app: one.application_id };
          // One of the installation is of no application, and has no page of one. Whoever sees it may acknowledge it.
          const isOwn = one.application_id === "";
          const deed = isOwn ? `/api/v1/open-alerts/${one.id}/acknowledge` : `/api/v1/alerts/${one.id}/acknowledge?${of(one.application_id)}`;
          return (
            <li key={one.id} data-alert={one.id}>
              <Severity of={one.severity} />
              <div class="what">
                {isOwn ? <span class="title">{one.rule}</span> : <Link to={at} kind="title">{one.rule}</Link>}
                {isOfSeveral && <span class="note">{isOwn ? say("of_installation") : one.application}</span>}
                <Labels all={one.labels} />
                <span class="note value">{against(one)}</span>
              </div>
              <time dateTime={one.began} title={dateTime(one.began)}>{ago(one.began)}{one.ended && ` · ${lasted(one)}`}</time>
              <State one={one} />
              {(mayEdit || isOwn) && (
                <span class="act">
                  {["active", "recovering"].includes(one.state) && (
                    <button type="button" class="pill lined" disabled={asked.includes(one.id)} aria-label={`${say("acknowledge")}: ${one.rule}`} onClick={() => void run(deed, {}).then((is) => is && setAsked([...asked, one.id]))}>
                      {say("acknowledge")}
                    </button>
                  )}
                </span>
              )}
            </li>
          );
        })}
      </ol>
      {isCut && <p class="note">{say("trial_cut")}</p>}
    </>
  );
}

function NoAlerts({ isAll, mayEdit, hasRules }: { isAll: boolean; mayEdit: boolean; hasRules: boolean }) {
  const { view } = useStage();
  return (
    <Notice picture={hasRules ? "good" : "none"} title={say(!hasRules ? "none_without_rules" : isAll ? "none_ever" : "none_open")}>
      <p>{say(hasRules ? "none_open_about" : "none_without_rules_about")}</p>
      {!hasRules && mayEdit && <Link to={to(view, { rule: ["new"] })} kind="main">{say("add_rule")}</Link>}
    </Notice>
  );
}

export function Rules({ all, mayEdit, changed }: { all: Said[]; mayEdit: boolean; changed: () => void }) {
  const { view } = useStage();
  const [failed, setFailed] = useState("");
  const fail = (error: Refused) => setFailed(error.message || say("offline"));
  const path = (rule: Said) => `/api/v1/alert-rules/${rule.id}?${of(view.app)}`;
  const turn = (rule: Said) => ask("PUT", path(rule), { enabled: !rule.enabled }).then(changed, fail);
  if (all.length === 0) return <NoAlerts isAll={false} mayEdit={mayEdit} hasRules={false} />;
  return (
    <>
      {failed && <p class="warn" role="alert">{failed}</p>}
      <ol class="alert-list rule-list">
        {all.map((rule) => (
          <li key={rule.id} data-rule={rule.id} class={rule.enabled ? undefined : "is-off"}>
            <Severity of={rule.severity ?? "low"} />
            <div class="what">
              <span class="title">{rule.name}</span>
              {rule.application !== view.app && <span class="note">{say("of_several")}</span>}
              <span class="note value">{rule.problem ?? rule.condition}</span>
            </div>
            <span class="note tells">{rule.channels?.length ? rule.channels.join(", ") : say("all_channels")}</span>
            <span class="act">
              <button type="button" role="switch" class="toggle" aria-checked={rule.enabled} aria-label={rule.name} disabled={!rule.may_change} onClick={() => void turn(rule)}>
                <i aria-hidden="true" />{say(rule.enabled ? "on" : "off")}
              </button>
              {rule.may_change && <Link to={to(view, { rule: [String(rule.id)] })} kind="quiet">{say("edit")}<span class="hidden">: {rule.name}</span></Link>}
              {rule.may_change && <Remove name={rule.name} word="remove_rule" run={() => ask("DELETE", path(rule)).then(changed, fail)} />}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

export function Silences({ rules, mayEdit, zone }: { rules: Said[]; mayEdit: boolean; zone: string | undefined }) {
  const { view } = useStage();
  const loaded = useLoad<Said[]>(`silences ${view.app}`, (signal) => ask<Said>("GET", `/api/v1/silences?${of(view.app)}`, undefined, signal).then((all) => all.silences), 15);
  const [failed, setFailed] = useState("");
  const [minutes, setMinutes] = useState(240);
  const fail = (error: Refused) => setFailed(error.message || say("offline"));
  const submit = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const { rule, note } = Object.fromEntries(new FormData(form)) as Record<string, string>;
    setFailed("");
    ask("POST", `/api/v1/silences?${of(view.app)}`, { ...(minutes ? { minutes } : { until_resolved: true }), rule, ...(note && { note }) }).then(() => { form.reset(); loaded.reload(); }, fail);
  };
  if (!loaded.value) return loaded.error ? <Failed error={loaded.error} retry={loaded.reload} /> : <div aria-busy="true" />;
  return (
    <>
      <p class="note about">{say("silences_about")}</p>
      {mayEdit && (
        <form class="add" onSubmit={submit}>
          <label>
            {say("rule")}
            <select name="rule">
              <option value="*">{say("every_rule")}</option>
              {rules.map((one) => <option key={one.id} value={one.name}>{one.name}</option>)}
            </select>
          </label>
          <label>{say("for_span")}<Span label={say("for_span")} value={minutes} choose={setMinutes} more={[[0, "until_over"]]} /></label>
          <label>{say("note")}<input name="note" maxLength={1000} placeholder={say("optional")} autocomplete="off" /></label>
          <button type="submit" class="pill lined">{say("add_silence")}</button>
        </form>
      )}
      {failed && <p class="warn" role="alert">{failed}</p>}
      {loaded.value.length === 0 ? <Notice picture="none" title={say("no_silences")} /> : (
        <ol class="alert-list silence-list">
          {loaded.value.map((one) => (
            <li key={one.id} data-silence={one.id}>
              <div class="what">
                <span class="title">{one.rule === "*" ? say("every_rule") : one.rule}</span>
                {!one.is_own && <span class="note">{say("of_several")}</span>}
                <Labels all={one.labels} />
                <span class="note value">{[one.by, one.note].filter(Boolean).join(" · ")}</span>
              </div>
              <time dateTime={one.until}>{one.until_resolved ? say("until_over") : `${say("until_time")} ${dateTime(one.until, zone)}`}</time>
              <span class="act">
                {mayEdit && one.is_own && <Remove name={one.rule} word="end_it" run={() => ask("DELETE", `/api/v1/silences/${one.id}?${of(view.app)}`).then(loaded.reload, fail)} />}
              </span>
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

export function Channels() {
  const { view } = useStage();
  const [isBusy, setBusy] = useState(false);
  const [failed, setFailed] = useState("");
  const loaded = useLoad<Said>(`channels ${view.app}`, (signal) => ask<Said>("GET", `/api/v1/channels?${of(view.app)}`, undefined, signal), isBusy ? 1 : 30);
  const all: Said[] = loaded.value?.channels ?? [];
  const sends = all.some((one) => one.tried?.state === "sending");
  useEffect(() => setBusy(sends), [sends]);
  if (!loaded.value) return loaded.error ? <Failed error={loaded.error} retry={loaded.reload} /> : <div aria-busy="true" />;
  const test = (name: string) => {
    setFailed("");
    ask("POST", `/api/v1/channels/${encodeURIComponent(name)}/test`).then(loaded.reload, (error: Refused) => setFailed(error.message || say("offline")));
  };
  const tried = (one: Said) => (one.is_disabled ? say("is_disabled") : !one.tried ? "" : one.tried.state === "failed" ? one.tried.why : `${say(one.tried.state === "sent" ? "test_sent" : "test_sending")} · ${ago(one.tried.at)}`);
  return (
    <>
      <p class="note about">{say("channels_about")}</p>
      {!loaded.value.is_judged && <div class="warn"><Words text={say("not_judged")} /></div>}
      {failed && <p class="warn" role="alert">{failed}</p>}
      {all.length === 0 ? <Notice picture="none" title={say("no_channels")}><Words text={say("channels_of_file")} /></Notice> : (
        <ol class="alert-list channel-list">
          {all.map((one) => (
            <li key={one.name} data-channel={one.name} data-tried={one.tried?.state ?? ""}>
              <div class="what">
                <span class="title">{one.name}</span>
                <span class="note">{one.kind}</span>
                <span class={one.tried?.state === "failed" || one.is_disabled ? "value bad" : "note value"} role="status">{tried(one)}</span>
              </div>
              <span class="act">
                {loaded.value!.may_test && (
                  <button type="button" class="pill lined" disabled={one.tried?.state === "sending"} aria-label={`${say("test")}: ${one.name}`} onClick={() => test(one.name)}>{say("test")}</button>
                )}
              </span>
            </li>
          ))}
        </ol>
      )}
      {!loaded.value.may_test && all.length > 0 && <p class="note">{say("owners_only")}</p>}
    </>
  );
}
