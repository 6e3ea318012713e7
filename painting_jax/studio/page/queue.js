// The queue, at the top of every page: what is painted, how far it is, what waits, and cancel.

import { post } from "./api.js";
import { fill, h, say, seconds } from "./dom.js";
import { listen, present, refresh } from "./live.js";

const STAGES = {
  loading: "Loading the model",
  looking: "Looking at the picture",
  painting: "Painting",
  writing: "Writing the video",
};

export async function cancel(id) {
  try {
    await post(`/api/works/${id}/cancel`);
  } catch (error) {
    say(error.message);
  }
  refresh();
}

export function stageOf({ progress, place, left }) {
  if (!progress) {
    const before = place === 1 ? "1 before it" : `${place} before it`;
    return [`Waiting`, place && before, left != null && `done in about ${seconds(left)}`]
      .filter(Boolean)
      .join(" · ");
  }
  const step = progress.stage === "painting" && `step ${Math.min(progress.done + 1, progress.of)} of ${progress.of}`;
  const time = progress.left == null ? "the time left is known after the first painting" : `${seconds(progress.left)} left`;
  return [STAGES[progress.stage], step, time].filter(Boolean).join(" · ");
}

// From 0 to 1. By the time where it is known, else by the steps.
export function shareOf({ progress }) {
  if (!progress) return 0;
  if (progress.left != null) return progress.gone / Math.max(0.1, progress.gone + progress.left);
  return (progress.stage === "writing" ? 0.95 : 0) || (0.05 + 0.85 * progress.done) / Math.max(1, progress.of);
}

export function bar(label) {
  const filled = h("div");
  const element = h(
    "div.bar",
    { role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 },
    filled,
  );
  let shown = 0;
  return {
    element,
    // A bar that went back would be read as a mistake.
    set(share) {
      shown = Math.max(shown, Math.min(1, share));
      filled.style.width = `${(100 * shown).toFixed(1)}%`;
      element.setAttribute("aria-valuenow", Math.round(100 * shown));
    },
  };
}

function row(entry) {
  const progress = bar(`Progress of ${entry.name}`);
  const stage = h("span.stage");
  const button = h("button.quiet", { onclick: () => cancel(entry.id) }, "Cancel");
  button.setAttribute("aria-label", `Cancel ${entry.name}`);
  const element = h(
    "li",
    { "data-id": entry.id },
    h("a.name", { href: `#/work/${entry.id}` }, entry.name),
    h("span.medium", {}, entry.in_words),
    stage,
    button,
    progress.element,
  );
  return {
    element,
    set(entry) {
      stage.textContent = stageOf(entry);
      element.classList.toggle("waits", !entry.progress);
      progress.set(shareOf(entry));
    },
  };
}

export function queueBar(place) {
  const rows = new Map();
  const list = h("ol");
  place.append(list);
  const show = ({ queue }) => {
    for (const entry of queue) {
      if (!rows.has(entry.id)) rows.set(entry.id, row(entry));
      rows.get(entry.id).set(entry);
    }
    for (const id of rows.keys()) if (!queue.some((entry) => entry.id === id)) rows.delete(id);
    const elements = queue.map((entry) => rows.get(entry.id).element);
    const same = elements.length === list.children.length && elements.every((e, n) => e === list.children[n]);
    if (!same) fill(list, elements);
    place.hidden = !queue.length;
  };
  show(present());
  listen(show);
}
