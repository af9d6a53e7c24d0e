// Changes of the document that cost nothing where nothing has changed.

const SVG = "http://www.w3.org/2000/svg";

/** A new element; `attributes` are set, `children` appended. */
export function make(name, attributes = {}, ...children) {
  const [tag, space] = name.startsWith("svg:") ? [name.slice(4), SVG] : [name, null];
  const element = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Sets the text where it differs. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute where it differs; null takes it away. */
export function set(element, key, value) {
  if (value === null) element.removeAttribute(key);
  else if (element.getAttribute(key) !== value) element.setAttribute(key, value);
}

/** Fills a table's body with rows of cells, using the rows again that are there. */
export function fill(body, rows, classes = []) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    while (row.cells.length > cells.length) row.deleteCell(-1);
    cells.forEach((text, k) => {
      const cell = row.cells[k] ?? row.insertCell();
      if (classes[k] && cell.className !== classes[k]) cell.className = classes[k];
      write(cell, text);
    });
  });
}
