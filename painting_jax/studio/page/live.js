// What is going on in the studio: pushed while the connection holds, asked for where it does not.

import { get } from "./api.js";

const listeners = new Set();
let now = { version: "", queue: [] };
let source, asking;

export const present = () => now;

export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function take(state) {
  now = state;
  for (const listener of listeners) listener(now);
}

function show(line) {
  const link = document.getElementById("link");
  if (link.textContent !== line) link.textContent = line;
}

async function ask() {
  try {
    take(await get("/api/state"));
    if (source?.readyState !== EventSource.OPEN) show("updated every few seconds");
  } catch {
    show("no connection, trying again");
  }
}

function open() {
  source?.close();
  source = new EventSource("/api/events");
  source.onopen = () => {
    clearInterval(asking);
    asking = undefined;
    show("");
  };
  source.onmessage = ({ data }) => take(JSON.parse(data));
  // The browser tries again by itself, but not after every kind of refusal.
  source.onerror = () => {
    if (!asking) {
      asking = setInterval(() => {
        ask();
        if (source.readyState === EventSource.CLOSED) open();
      }, 2000);
    }
    ask();
  };
}

export function start() {
  open();
  // A browser has few connections to one server: hidden pages leave theirs to others.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source.close();
      clearInterval(asking);
      asking = undefined;
    } else open();
  });
}

// After the page itself has changed something.
export const refresh = ask;
