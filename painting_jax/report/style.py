"""The style sheet of the pages, and the script for their sliders and sortable tables."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #faf8f4; --card: #ffffff; --ink: #262320; --faint: #716b63; --rule: #e3ded5;
  --accent: #c2410c; --fade: linear-gradient(to left, transparent, #000 3rem);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #191816; --card: #232120; --ink: #ece7df; --faint: #a29a8f; --rule: #3a3734;
    --accent: #ff8a4c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main, header, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3rem; }
h1 {
  font-size: clamp(1.7rem, 5vw, 2.6rem); line-height: 1.15; margin: 0 0 .6rem;
  overflow-wrap: anywhere;
}
h2 { font-size: 1.35rem; margin: 3rem 0 .8rem; }
h3 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
p, li { max-width: 44rem; }
.lead { font-size: 1.12rem; color: var(--faint); margin-top: 0; }
.headlines {
  display: grid; gap: 1rem; padding: 0; margin: 1.6rem 0 0; list-style: none;
  grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr));
}
.headlines li {
  background: var(--card); border: 1px solid var(--rule); border-radius: .7rem;
  padding: .9rem 1.1rem;
}
.headlines b { display: block; font-size: 1.7rem; line-height: 1.2; color: var(--accent); }
.headlines span { color: var(--faint); font-size: .92rem; }
figure { margin: 0; }
figcaption { color: var(--faint); font-size: .92rem; }
.curves svg { width: 100%; height: auto; display: block; }
.curves .scroll svg { min-width: 34rem; }
.curves svg text { font-family: inherit !important; }
.media {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(14rem, 45%), 1fr));
}
.media figcaption { color: var(--ink); }
.process, .recording {
  background: var(--card); border: 1px solid var(--rule); border-radius: .8rem;
  padding: 1.1rem; margin: 0 0 1.4rem;
}
.process header, .recording header {
  display: flex; flex-wrap: wrap; gap: 0 .6rem; align-items: baseline; max-width: none; margin: 0;
  padding: 0 0 .7rem;
}
.process header span, .process header .why, .recording header span { color: var(--faint); }
.process header .why { margin: 0; flex-basis: 100%; font-size: .92rem; }
a { color: var(--accent); }
.easel { display: flex; gap: .9rem; }
.easel figure { flex: 0 1 11rem; min-width: 0; }
.easel img, .canvas { display: block; width: 100%; border-radius: .3rem; background-size: cover; }
section > h3 { margin: 2rem 0 .8rem; }
@media (min-width: 50rem) {
  .alone { display: grid; grid-template-columns: 11rem 1fr; gap: 0 1.2rem; align-items: center; }
  .alone header { grid-column: 1 / -1; }
  .alone .easel { grid-row: 2 / 4; }
  .alone .scrub { grid-row: 3; margin: .5rem 0 0; }
  .alone .wide { grid-row: 2; grid-column: 2; }
}
.scrub { display: flex; gap: .8rem; align-items: center; margin: .7rem 0 1rem; max-width: 35rem; }
.scrub input { flex: 1; accent-color: var(--accent); min-width: 0; }
.scrub output { min-width: 3.2rem; color: var(--faint); font-variant-numeric: tabular-nums; }
.scrub button {
  border: 1px solid var(--rule); background: none; color: inherit; border-radius: 2rem;
  padding: .3rem .9rem; font: inherit; cursor: pointer;
}
.wide { min-width: 0; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.more { display: none; margin: .2rem 0 0; font-size: .85rem; color: var(--faint); }
.cut > .scroll { -webkit-mask-image: var(--fade); mask-image: var(--fade); }
.cut > .more { display: block; }
@media (max-width: 42rem) {
  .wide:not(.told) > .scroll { -webkit-mask-image: var(--fade); mask-image: var(--fade); }
  .wide:not(.told) > .more { display: block; }
}
.strips { display: grid; grid-template-columns: auto 1fr; gap: .35rem .8rem; min-width: 38rem; }
.strips span { font-size: .85rem; color: var(--faint); align-self: center; max-width: 7rem; }
.strips img { width: 100%; display: block; border-radius: .3rem; }
.recording .strips img { background: var(--rule); }
.ticks span { max-width: none; }
.ticks s { display: block; text-decoration: none; color: var(--accent); }
.ticks { display: grid; font-size: .75rem; color: var(--faint); text-align: center; }
details { margin-top: .7rem; }
summary { cursor: pointer; color: var(--faint); font-size: .92rem; }
table { border-collapse: collapse; font-size: .92rem; margin: .3rem 0 1.6rem; min-width: 100%; }
th, td {
  padding: .42rem .7rem; border-bottom: 1px solid var(--rule); text-align: right;
  font-variant-numeric: tabular-nums; vertical-align: baseline;
}
th:first-child { text-align: left; padding-left: 0; }
thead th { font-weight: 600; vertical-align: bottom; }
thead button {
  all: unset; cursor: pointer; font-weight: 600; text-align: inherit; position: relative;
}
thead button:hover { text-decoration: underline; }
thead button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
thead button::after { content: ""; position: absolute; left: 100%; padding-left: .15rem; }
th[aria-sort=ascending] button::after { content: "\\25B4"; }
th[aria-sort=descending] button::after { content: "\\25BE"; }
tbody th { font-weight: 500; overflow-wrap: break-word; min-width: 7rem; max-width: 18rem; }
td small { color: var(--faint); white-space: nowrap; display: block; }
td strong { color: var(--accent); }
th.words, td.words { text-align: left; overflow-wrap: anywhere; min-width: 9rem; }
.bars {
  display: grid; grid-template-columns: auto 1fr auto; gap: .4rem .9rem; max-width: 34rem;
  margin-bottom: 1.2rem;
}
.bars i { background: var(--accent); border-radius: .2rem; min-width: 2px; align-self: stretch; }
.bars b { font-weight: 500; font-variant-numeric: tabular-nums; }
.recording ul { margin: .7rem 0 0; padding-left: 1.2rem; font-size: .92rem; }
.recording li, .recording p { overflow-wrap: anywhere; }
.recording p { margin: .7rem 0 0; }
.recording p + p { margin-top: .2rem; }
pre { overflow-x: auto; padding: .8rem 1rem; background: var(--card); border-radius: .5rem; }
dt { font-weight: 600; margin-top: .7rem; }
dd { margin: 0; color: var(--faint); max-width: 44rem; }
code { font-size: .88em; overflow-wrap: anywhere; }
footer { color: var(--faint); font-size: .88rem; padding-top: 2rem; padding-bottom: 3rem; }
"""

# What is wider than the page fades out at its edge, with a line below it, until it is scrolled to
# its end; without JavaScript it does so on every narrow page. Headings become buttons that sort:
# ascending, then descending, rows without a number last. The canvases show one frame of the strip
# below them; without JavaScript only the strips are shown.
SCRIPT = """
for (const part of document.querySelectorAll('.sorts')) part.hidden = false;
for (const wide of document.querySelectorAll('.wide')) {
  const scroll = wide.querySelector('.scroll');
  const tell = () => {
    wide.classList.add('told');
    wide.classList.toggle(
      'cut', scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft > 2);
  };
  scroll.addEventListener('scroll', tell, {passive: true});
  new ResizeObserver(tell).observe(scroll);
}
for (const table of document.querySelectorAll('table')) {
  const body = table.tBodies[0], headings = [...table.tHead.rows[0].cells];
  if (body.rows.length < 2) continue;
  headings.forEach((heading, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...heading.childNodes);
    heading.append(button);
    button.onclick = () => {
      const down = heading.getAttribute('aria-sort') === 'ascending';
      for (const other of headings) other.removeAttribute('aria-sort');
      heading.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const sign = down ? -1 : 1;
      const numbers = [...body.rows].some(row => row.cells[column].dataset.value);
      const compare = (a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        const order = x.textContent.localeCompare(y.textContent, 'en', {numeric: true});
        if (!numbers) return sign * order;
        if (!x.dataset.value || !y.dataset.value) return !x.dataset.value - !y.dataset.value;
        return sign * (x.dataset.value - y.dataset.value);
      };
      body.append(...[...body.rows].sort(compare));
    };
  });
}
for (const card of document.querySelectorAll('.process')) {
  const slider = card.querySelector('input'), shown = card.querySelector('output');
  const frames = Number(slider.max) + 1;
  const canvases = [...card.querySelectorAll('.canvas')];
  for (const canvas of canvases) {
    const strip = card.querySelector('#' + canvas.dataset.strip);
    canvas.style.backgroundImage = `url(${strip.src})`;
    canvas.style.backgroundSize = `${frames * 100}% 100%`;
  }
  const show = () => {
    const share = slider.value / (frames - 1);
    for (const canvas of canvases) canvas.style.backgroundPosition = `${share * 100}% 0`;
    shown.textContent = Math.round(share * 100) + ' %';
  };
  let timer = 0;
  const button = card.querySelector('button');
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = 'Paint'; };
  button.onclick = () => {
    if (timer) return stop();
    if (slider.value === slider.max) slider.value = 0;
    show();
    button.textContent = 'Pause';
    timer = setInterval(() => {
      if (slider.value === slider.max) return stop();
      slider.value = Number(slider.value) + 1;
      show();
    }, 450);
  };
  slider.oninput = () => { stop(); show(); };
  for (const part of card.querySelectorAll('[hidden]')) part.hidden = false;
  show();
}
"""
