// Menus: a button, and links below it. The period's has days of one's own, too.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
// Of what is loaded first, too.
import "./dialog";
import { useStage } from "./use";
import { PERIODS, type View, address } from "./view";
import { type Key, range, say } from "./words";

const NAMES: Record<string, Key> = { "7d": "d7", "30d": "d30", "91d": "d91", "12months": "months12" };
export const KEYS: Record<string, string> = { d: "today", e: "yesterday", w: "7d", t: "30d", n: "91d", m: "month", p: "last_month", y: "year", l: "12months" };
const keyOf = (period: string) => Object.keys(KEYS).find((key) => KEYS[key] === period);

export function periodName(period: string): string {
  const [from, until] = period.split("..");
  if (from && until) return range(from, until);
  return (PERIODS as readonly string[]).includes(period) ? say(NAMES[period] ?? (period as Key)) : period;
}

/** Ends with Escape, with a click elsewhere, and when the focus leaves it. */
export function Menu({ label, name, kind, children }: { label: ComponentChildren; name?: string; kind?: string; children: (close: () => void) => ComponentChildren }) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    const elsewhere = (event: Event) => box.current!.contains(event.target as Node) || setOpen(false);
    addEventListener("pointerdown", elsewhere);
    return () => removeEventListener("pointerdown", elsewhere);
  }, [isOpen]);
  const key = (event: KeyboardEvent) => {
    if (!isOpen) return;
    const items = [...box.current!.querySelectorAll<HTMLElement>(".drop a, .drop button, .drop select")];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape") {
      setOpen(false);
      button.current!.focus();
    } else if (event.key === "ArrowDown") items[(at + 1) % items.length]?.focus();
    else if (event.key === "ArrowUp") items[(at + items.length - (at < 0 ? 0 : 1)) % items.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      class={`menu ${kind ?? ""}`}
      ref={box}
      onKeyDown={key}
      onFocusOut={(event) => event.relatedTarget && !box.current!.contains(event.relatedTarget as Node) && setOpen(false)}
    >
      <button ref={button} type="button" class="pill" aria-expanded={isOpen} aria-label={name} title={name} onClick={() => setOpen(!isOpen)}>
        {label}
      </button>
      {isOpen && <div class="drop">{children(() => setOpen(false))}</div>}
    </div>
  );
}

/** A link within a menu; goes there without loading a page. */
export function Item({ to, close, hint, chosen, children }: { to: View; close: () => void; hint?: string | undefined; chosen?: boolean; children: ComponentChildren }) {
  const { go } = useStage();
  return (
    <a
      href={address(to)}
      aria-current={chosen ? "true" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey) return;
        event.preventDefault();
        close();
        go(to);
      }}
    >
      {children}
      {hint && <kbd>{hint.toUpperCase()}</kbd>}
    </a>
  );
}

export function Periods({ zone, openCustom }: { zone: string | undefined; openCustom: () => void }) {
  const { view } = useStage();
  void zone;
  return (
    <Menu label={<><Calendar /> {periodName(view.period)}</>} kind="right" name={`${say("period")}: ${periodName(view.period)}`}>
      {(close) => (
        <>
          {PERIODS.map((one) => (
            <Item key={one} to={{ ...view, period: one, interval: "" }} close={close} hint={keyOf(one)} chosen={one === view.period}>
              {periodName(one)}
            </Item>
          ))}
          <button
            type="button"
            onClick={() => {
              close();
              openCustom();
            }}
          >
            {say("custom")}
            <kbd>C</kbd>
          </button>
        </>
      )}
    </Menu>
  );
}

const Calendar = () => (
  <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M2.5 4h11v9.500h-11zM2.500 7h11M5.500 2v3M10.500 2v3" />
  </svg>
);

/** The dialog for days of one's own. It is loaded where somebody asks for it. */
export function Days(props: { zone: string | undefined; close: () => void }) {
  const [dialog, setDialog] = useState<typeof import("./custom")>();
  useEffect(() => void import("./custom").then((loaded) => setDialog(() => loaded), props.close), []);
  return dialog ? <dialog.Days {...props} /> : null;
}
