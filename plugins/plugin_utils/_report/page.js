/*
 * Copyright (c) 2026, aemops.brand_portal contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Sorts and filters the report's hosts. The page is complete without it.
'use strict';
(() => {
  const table = document.getElementById('hosts');
  if (!table) return;
  const hosts = Array.from(table.tBodies);  // a host is a body of its own: what is said at a glance, and the evidence
  const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
  const numeric = ['state', 'clock', 'agents'];
  const filter = document.getElementById('filter');
  const shown = document.getElementById('shown');
  const open = document.getElementById('open');
  const tools = document.getElementById('tools');
  const chips = [];

  function pressable(place) {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...place.childNodes);
    place.append(button);
    return button;
  }

  // Numbers as numbers; a host without a key stays last, whichever way it goes.
  function sort(head) {
    const column = head.cellIndex;
    const down = head.getAttribute('aria-sort') === 'ascending';
    const keys = new Map(hosts.map((host) => [host, host.rows[0].cells[column].dataset.key]));
    const compare = numeric.includes(head.className) ? (a, b) => a - b : collator.compare;
    hosts.sort((one, other) => {
      const a = keys.get(one);
      const b = keys.get(other);
      if (a === '' || b === '') return (a === '') - (b === '');
      return down ? compare(b, a) : compare(a, b);
    });
    for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    table.append(...hosts);
  }

  // Each word must be in what is said of the host, open or not; and at most one chip is pressed.
  const said = new Map();
  function text(host) {
    if (!said.has(host)) said.set(host, host.textContent.toLowerCase());
    return said.get(host);
  }
  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chip = chips.find((one) => one.getAttribute('aria-pressed') === 'true');
    const { group, state } = chip ? chip.parentNode.dataset : {};
    let count = 0;
    for (const host of hosts) {
      const wanted = (group === undefined || host.dataset.group === group)
        && (state === undefined || host.dataset.state === state)
        && words.every((word) => text(host).includes(word));
      host.hidden = !wanted;
      count += wanted;
    }
    const all = `${hosts.length.toLocaleString('en')} host${hosts.length === 1 ? '' : 's'}`;
    shown.textContent = count === hosts.length ? all : `${count.toLocaleString('en')} of ${all}`;
    document.getElementById('nothing').hidden = count > 0;
  }
  function press(chip) {
    for (const one of chips) {
      one.setAttribute('aria-pressed', one === chip && one.getAttribute('aria-pressed') !== 'true');
    }
    show();
  }

  for (const head of table.tHead.rows[0].cells) {
    pressable(head.firstElementChild).addEventListener('click', () => sort(head));
  }
  for (const place of document.querySelectorAll('.chip')) {
    const chip = pressable(place);
    chip.setAttribute('aria-pressed', 'false');
    chip.addEventListener('click', () => press(chip));
    chips.push(chip);
  }
  filter.addEventListener('input', show);
  tools.addEventListener('submit', (event) => event.preventDefault());
  document.getElementById('clear').addEventListener('click', () => { filter.value = ''; press(null); });
  open.addEventListener('click', () => {
    const all = open.getAttribute('aria-pressed') !== 'true';
    open.setAttribute('aria-pressed', all);
    for (const details of table.querySelectorAll('details')) details.open = all;
  });
  tools.hidden = false;

  // On paper nothing can be opened: the evidence of the hosts that need attention is printed, and closed again.
  let opened = [];
  window.addEventListener('beforeprint', () => {
    opened = Array.from(table.querySelectorAll('.needs:not([hidden]) details:not([open])'));
    for (const details of opened) details.open = true;
  });
  window.addEventListener('afterprint', () => { for (const details of opened) details.open = false; });
})();
