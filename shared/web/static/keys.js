// Shortcuts for what the page has visible controls for. They can be turned off, and nothing needs them.
(() => {
  const help = document.getElementById("keys"), open = document.getElementById("keys-open");
  if (!help || !open) return;
  const choice = help.querySelector("input"), stored = "tamga-keys";
  const read = () => { try { return localStorage.getItem(stored) !== "off"; } catch { return true; } };
  let on = read(), row = -1, went = 0;
  open.hidden = false;
  choice.checked = on;
  open.addEventListener("click", () => help.showModal());
  choice.addEventListener("change", () => {
    on = choice.checked;
    try { localStorage.setItem(stored, on ? "on" : "off"); } catch { /* then it lasts as long as the page */ }
  });
  const rows = () => [...document.querySelectorAll("main table.rows tbody tr, main .board li")].filter((item) => item.querySelector("a[href]"));
  const link = () => rows()[row]?.querySelector("a[href]");
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    row = Math.min(Math.max(row + by, 0), all.length - 1);
    link().focus();
    all[row].scrollIntoView({ block: "nearest" });
  };
  const go = (name) => { const to = help.dataset[name]; if (to) location.href = to; };
  // What a form of the case does: there, its control; from a row of a list, the case opened at it.
  const act = (place, find) => {
    const here = find();
    if (here) { here.closest("details")?.setAttribute("open", ""); here.focus(); here.scrollIntoView({ block: "center" }); }
    else if (link()) location.href = link().href + "#" + place;
  };
  const assign = () => document.getElementById("f-officer");
  const move = () => document.querySelector("#moves summary, #moves button");
  const keys = {
    "/": () => (document.querySelector("main input[type=search]") || document.querySelector("header input[type=search]"))?.focus(),
    j: () => step(1),
    k: () => step(-1),
    o: () => link()?.click(),
    x: () => rows()[row]?.querySelector("input[type=checkbox]")?.click(),
    a: () => act("f-officer", assign),
    m: () => act("moves", move),
    "?": () => help.showModal(),
  };
  // A digit gives points to the criterion that has the focus, or else to the first one without any.
  const give = (digit, at) => {
    const none = (one) => !one.querySelector("input[type=radio]:checked");
    const here = at.closest("[data-points]") || [...document.querySelectorAll("[data-points]")].find(none);
    const choice = here?.querySelector(`input[type=radio][value="${digit}"]`);
    if (choice) { choice.click(); choice.focus(); }
    return Boolean(choice);
  };
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    const plain = on && !help.open && !(event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey);
    if (plain && /^[0-9]$/.test(event.key) && (at.type === "radio" || !/^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) {
      if (give(event.key, at)) { event.preventDefault(); return; }
    }
    if (!on || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || help.open) return;
    if (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) return;
    const second = Date.now() - went < 1500;
    went = 0;
    if (event.key === "g" && !second) { went = Date.now(); return; }
    const done = second ? { q: () => go("queue"), b: () => go("board"), d: () => go("day") }[event.key] : keys[event.key];
    if (done) { event.preventDefault(); done(); }
  });
  if (location.hash === "#moves") move()?.focus();
  if (location.hash === "#f-officer") assign()?.focus();
})();
