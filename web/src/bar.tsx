// The line on top: whose numbers these are, who is there now, and what belongs to the person who looks.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Application, applications, ask } from "./api";
import { Item, Menu } from "./picker";
import { useStage } from "./use";
import { type View, address } from "./view";
import { LANGUAGES, keep, language, say, setTheme, theme } from "./words";

let known: Promise<Application[]> | undefined;
/** The applications, asked once. */
export const allApplications = () => (known ??= applications().catch((error) => {
  known = undefined;
  throw error;
}));

export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="9" />
    <path d="M8.500 22.500v-4M14 22.500v-9M19.500 22.500v-6" />
    <path class="last" d="M25 22.500V9" />
  </svg>
);

export function Link({ to, kind, children }: { to: View; kind?: string; children: ComponentChildren }) {
  const { go } = useStage();
  return (
    <a
      class={kind}
      href={address(to)}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

function Applications({ name }: { name: string }) {
  const { view } = useStage();
  const [all, setAll] = useState<Application[]>([]);
  useEffect(() => void allApplications().then(setAll, () => {}), []);
  return (
    <Menu label={<><b>{name}</b> <Down /></>} name={`${say("choose")}: ${name}`} kind="applications">
      {(close) => (
        <>
          <Item to={{ ...view, page: "all", filters: [] }} close={close}>
            {say("all")}
          </Item>
          {all.slice(0, 50).map((one) => (
            <Item key={one.id} to={{ ...view, app: one.id, filters: [] }} close={close} chosen={one.id === view.app}>
              {one.name}
            </Item>
          ))}
        </>
      )}
    </Menu>
  );
}

const Down = () => (
  <svg class="glyph small" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M4 6.500l4 4 4-4" />
  </svg>
);

export function Bar({ name, children, help }: { name: string; children?: ComponentChildren; help: () => void }) {
  const { view } = useStage();
  const isAlone = view.share !== "" || view.page === "sign-in";
  return (
    <header class="bar">
      <a class="skip" href="#numbers">
        {say("skip")}
      </a>
      {isAlone ? <Mark /> : <Link to={{ ...view, page: "all", filters: [] }} kind="home"><Mark /><span class="hidden">{say("all")}</span></Link>}
      {view.page === "all" || view.page === "sign-in" ? <h1>{name}</h1> : isAlone ? <h1>{name}</h1> : <><h1 class="hidden">{name}</h1><Applications name={name} /></>}
      {children}
      <Menu label={<Dots />} name={say("menu")} kind="right more">
        {(close) => (
          <>
            {view.page === "statistics" && !isAlone && <Item to={{ ...view, page: "live" }} close={close} hint="r">{say("live")}</Item>}
            {view.page === "live" && <Item to={{ ...view, page: "statistics" }} close={close} hint="r">{say("statistics")}</Item>}
            <button
              type="button"
              onClick={() => {
                close();
                help();
              }}
            >
              {say("help")}
              <kbd>?</kbd>
            </button>
            <Choice label={say("theme")} value={theme()} all={[["", say("theme_auto")], ["light", say("theme_light")], ["dark", say("theme_dark")]]} choose={setTheme} />
            <Choice
              label={say("language_of")}
              value={language}
              all={Object.entries(LANGUAGES).map(([tag, [own]]) => [tag, own])}
              choose={(tag) => {
                keep("alt.language", tag);
                location.reload();
              }}
            />
            {!isAlone && (
              <button type="button" onClick={() => void ask("DELETE", "/api/v1/session").catch(() => {}).then(() => location.assign("/sign-in"))}>
                {say("sign_out")}
              </button>
            )}
          </>
        )}
      </Menu>
    </header>
  );
}

const Dots = () => (
  <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M2.500 4.500h11M2.500 8h11M2.500 11.500h11" />
  </svg>
);

function Choice({ label, value, all, choose }: { label: string; value: string; all: [string, string][]; choose: (value: string) => void }) {
  return (
    <label class="choice">
      {label}
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {all.map(([one, name]) => (
          <option key={one} value={one}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
