"use strict";
(() => {
  const table = document.querySelector(".matrix table");
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells].slice(1);
  const cols = [...table.querySelectorAll("col")].slice(1);
  const cells = rows.map(r => [...r.cells].slice(1));
  const groups = [...document.querySelector(".ends tbody").rows];
  const form = document.querySelector("form");
  const why = document.getElementById("why");
  const count = document.getElementById("count");
  const field = name => form.elements[name];
  const words = groups.map(r => r.textContent.toLowerCase());
  const hint = why.textContent;
  let at = null; // the cell that the keyboard is on

  form.hidden = false;
  table.setAttribute("role", "grid");
  table.parentElement.removeAttribute("tabindex");

  const isOpen = td => /^[a-z]( |$)/.test(td.className);
  const matches = (head, side) => {
    const space = field(side + "-space").value, end = head.dataset.end;
    return (space === "" || groups[end].dataset.space === space) && words[end].includes(field(side + "-text").value.trim().toLowerCase());
  };

  function filter() {
    let row = rows.map(r => matches(r, "from"));
    let col = heads.map(h => matches(h, "to"));
    if (field("open").checked) {
      const busy = rows.map(() => false), met = heads.map(() => false);
      rows.forEach((r, i) => {
        if (!row[i]) return;
        heads.forEach((_, j) => {
          if (col[j] && isOpen(cells[i][j])) busy[i] = met[j] = true;
        });
      });
      row = row.map((on, i) => on && busy[i]);
      col = col.map((on, j) => on && met[j]);
    }
    heads.forEach((h, j) => {
      const off = !col[j];
      if (h.hidden === off) return;
      h.hidden = cols[j].hidden = off;
      for (const r of cells) r[j].hidden = off;
    });
    rows.forEach((r, i) => { r.hidden = !row[i]; });
    const number = list => list.filter(on => on).length;
    count.textContent = number(row) + " of " + rows.length + " rows, " + number(col) + " of " + heads.length + " columns";
    if (!at || at.hidden || at.parentElement.hidden) rove(first());
    explain(null);
  }

  // first returns the first cell that is shown.
  function first() {
    const i = rows.findIndex(r => !r.hidden);
    return i < 0 ? null : cells[i].find(c => !c.hidden) || null;
  }

  // rove makes a cell the one that the tab key leads to.
  function rove(td) {
    if (at) at.removeAttribute("tabindex");
    at = td;
    if (at) at.tabIndex = 0;
  }

  let marked = [];
  function explain(td) {
    for (const e of marked) e.classList.remove("at");
    marked = [];
    if (!td) {
      why.textContent = hint;
      return;
    }
    const row = td.parentElement, head = heads[td.cellIndex - 1];
    marked = [td, row, head];
    for (const e of marked) e.classList.add("at");
    const from = groups[row.dataset.end], to = groups[head.dataset.end];
    const name = r => r.cells[0].textContent;
    const line = (tag, text) => {
      const e = document.createElement(tag);
      e.textContent = text;
      return e;
    };
    why.replaceChildren(line("strong", name(from) + " → " + name(to)), ": " + (td.dataset.ports || meaning(td)));
    if (td.textContent === ".") return;
    for (const [what, end, by] of [["egress", from, from.cells[2]], ["ingress", to, to.cells[3]]]) {
      if (by && by.textContent) why.append(document.createElement("br"), what + " of " + name(end) + " is isolated by " + by.textContent);
    }
  }

  function meaning(td) {
    switch (td.textContent) {
      case "": case "-": return why.dataset.none;
      case ".": return "not in question";
    }
    return td.textContent;
  }

  // step returns the next shown cell in a direction, or the same one.
  function step(td, down, right, most) {
    let i = rows.indexOf(td.parentElement), j = td.cellIndex - 1, found = td;
    for (let n = 0; n < most;) {
      i += down;
      j += right;
      if (i < 0 || j < 0 || i >= rows.length || j >= heads.length) break;
      if (rows[i].hidden || heads[j].hidden) continue;
      found = cells[i][j];
      n++;
    }
    return found;
  }

  table.addEventListener("keydown", e => {
    const td = e.target.closest("td");
    if (!td || e.altKey || e.metaKey) return;
    const far = Infinity;
    const moves = {
      ArrowUp: [-1, 0, 1], ArrowDown: [1, 0, 1], ArrowLeft: [0, -1, 1], ArrowRight: [0, 1, 1],
      PageUp: [-1, 0, 10], PageDown: [1, 0, 10], Home: [0, -1, far], End: [0, 1, far],
    };
    const move = moves[e.key];
    if (!move) return;
    e.preventDefault();
    let next = step(td, ...move);
    if (e.ctrlKey && e.key === "Home") next = step(next, -1, 0, far);
    if (e.ctrlKey && e.key === "End") next = step(next, 1, 0, far);
    rove(next);
    next.focus();
    next.scrollIntoView({block: "nearest", inline: "nearest"});
  });
  table.addEventListener("focusin", e => {
    const td = e.target.closest("td");
    if (td) explain(td);
  });
  table.addEventListener("mouseover", e => {
    const td = e.target.closest("td");
    if (td) explain(td);
  });
  table.addEventListener("mouseleave", () => explain(document.activeElement === at ? at : null));
  table.addEventListener("click", e => {
    const td = e.target.closest("td");
    if (!td) return;
    rove(td);
    td.focus();
  });
  form.addEventListener("submit", e => e.preventDefault());
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));

  filter();
})();
