// The dialog for days of one's own: loaded where somebody asks for it. (What all pages share is imported, so that it stays one file.)
import { useState } from "preact/hooks";
import "./bar";
import { plus, today } from "./days";
import { Modal } from "./dialog";
import "./filters";
import { useStage } from "./use";
import { say } from "./words";

export function Days({ zone, close }: { zone: string | undefined; close: () => void }) {
  const { view, go } = useStage();
  const now = today(zone);
  const [first, last] = view.period.includes("..") ? (view.period.split("..") as [string, string]) : [plus(now, -13), now];
  const [from, setFrom] = useState(first);
  const [until, setUntil] = useState(last);
  return (
    <Modal title={say("period")} close={close}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          close();
          const [a, b] = from <= until ? [from, until] : [until, from];
          go({ ...view, period: `${a}..${b}`, interval: "" });
        }}
      >
        <div class="two">
          <label>
            {say("from")}
            <input type="date" name="from" required max={now} value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
          </label>
          <label>
            {say("until")}
            <input type="date" name="until" required max={now} value={until} onInput={(event) => setUntil(event.currentTarget.value)} />
          </label>
        </div>
        <footer>
          <button type="submit" class="main">
            {say("apply")}
          </button>
        </footer>
      </form>
    </Modal>
  );
}
